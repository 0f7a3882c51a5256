"""The blocking client against a real broker."""

import threading
from datetime import datetime, timedelta, timezone

import pytest

import lineshaft
from lineshaft import Client, Submission, Worker


def test_a_result_comes_back_and_is_kept(worker, gearman_client):
    task = gearman_client.submit("reverse", b"abc")
    assert task.handle.startswith("H:")
    assert task.result(timeout=10) == b"cba"
    assert task.result() == b"cba"
    assert task.done()


def test_a_dead_server_is_passed_over(gearman_server):
    worker = Worker(["127.0.0.1:1", gearman_server.address])
    worker.add_function("upper", lambda job: job.workload.upper())
    with worker, Client(["127.0.0.1:1", gearman_server.address]) as client:
        assert client.submit("upper", b"x").result(timeout=10) == b"X"


def test_nobody_there_is_a_connection_error():
    with pytest.raises(ConnectionError) as caught:
        Client("127.0.0.1:1").connect()
    assert caught.value.code == "COULD_NOT_CONNECT" and "127.0.0.1:1" in str(caught.value)
    assert caught.value.retryable


@pytest.mark.parametrize("servers", ["host:x", ["a", ""], "unix:"])
def test_what_is_no_address_is_refused(servers):
    if servers == ["a", ""]:
        Client(servers)  # empty parts of a list do not count
        return
    with pytest.raises(lineshaft.InvalidArgument):
        Client(servers)


def test_background_jobs_are_over_when_the_server_has_them(gearman_server, gearman_client):
    task = gearman_client.submit("later", b"x", background=True)
    assert task.result() is None and gearman_server.jobs == 1


def test_priorities_decide_the_order(gearman_server, gearman_client):
    for name in ("low", "normal", "high"):
        gearman_client.submit("f", name.encode(), priority=name, background=True)
    seen, all_here = [], threading.Event()

    def record(job):
        seen.append(job.workload)
        if len(seen) == 3:
            all_here.set()

    worker = Worker(gearman_server)
    worker.add_function("f", record)
    with worker:
        assert all_here.wait(10)
    assert seen == [b"high", b"normal", b"low"]


def test_a_unique_makes_two_submissions_one_job(gearman_server, gearman_client, blocker):
    first = gearman_client.submit("block", b"1", unique="same")
    second = gearman_client.submit("block", b"2", unique="same")
    assert first.handle == second.handle
    assert gearman_client.status_by_unique("same").clients == 2
    blocker.set()
    assert (first.result(timeout=10), second.result(timeout=10)) == (b"1", b"1")


def test_the_workload_as_unique(gearman_server, gearman_client):
    tasks = [gearman_client.submit("f", w, unique=True, background=True) for w in (b"1", b"1", b"2")]
    assert len({task.handle for task in tasks}) == 2


def test_times_and_schedules_reach_the_server(gearman_server, gearman_client):
    gearman_client.submit("f", run_at=datetime(2100, 1, 1, tzinfo=timezone.utc))
    gearman_client.submit("f", run_at=4102444800.5)
    gearman_client.submit("f", delay=3600)
    gearman_client.submit("f", delay=timedelta(hours=1))
    gearman_client.submit("f", schedule="*/5 1 * * 0-4")
    with lineshaft.Admin(gearman_server) as admin:
        assert admin.status()[0].total == 4
        assert [row.fields for row in admin.schedules()] == ["*/5 1 * * 0-4"]


def test_events_come_as_they_happen(gearman_server, gearman_client):
    worker = Worker(gearman_server)

    @worker.function()
    def story(job):
        job.send_status(1, 2)
        job.send_data(b"a")
        job.send_warning(b"mind")
        return b"b"

    with worker:
        task = gearman_client.submit("story", b"")
        events = list(task)
        assert [event.kind for event in events] == ["created", "status", "data", "warning", "complete"]
        assert (events[1].numerator, events[1].denominator) == (1, 2)
        assert events[0].data.decode() == task.handle
        assert gearman_client.submit("story", b"").result(timeout=10) == b"ab"


def test_status_of_a_job_that_runs(gearman_server, gearman_client):
    on, go = threading.Event(), threading.Event()
    worker = Worker(gearman_server)

    @worker.function("work")
    def work(job):
        job.send_status(3, 4)
        on.set()
        go.wait(30)

    with worker:
        task = gearman_client.submit("work")
        assert on.wait(10)
        assert task.status() == (True, True, 3, 4, None)
        go.set()
        task.result(timeout=10)
        assert not gearman_client.status(task.handle).known


def test_a_timeout_leaves_the_task_as_it_was(gearman_client, blocker):
    task = gearman_client.submit("block", b"x")
    with pytest.raises(TimeoutError) as caught:
        task.result(timeout=0.05)
    assert caught.value.code == "TIMEOUT" and not task.done()
    blocker.set()
    assert task.result(timeout=10) == b"x"


def test_a_tasks_own_timeout_ends_it(gearman_client):
    task = gearman_client.submit("nobody", timeout=0.05)
    with pytest.raises(lineshaft.Timeout):
        task.result()
    assert task.done()


def test_exceptions_arrive_with_their_text(gearman_server, gearman_client):
    worker = Worker(gearman_server)

    @worker.function("bad")
    def bad(job):
        raise KeyError("no such thing")

    @worker.function("fails")
    def fails(job):
        raise lineshaft.JobFailed()

    with worker:
        with pytest.raises(lineshaft.JobException) as caught:
            gearman_client.submit("bad").result(timeout=10)
        assert caught.value.text == "KeyError: 'no such thing'" == str(caught.value)
        with pytest.raises(lineshaft.JobFailed) as caught:
            gearman_client.submit("fails").result(timeout=10)
        assert not isinstance(caught.value, lineshaft.JobException)
        assert [event.kind for event in gearman_client.submit("bad")][-1] == "exception"
        with Client(gearman_server, exceptions=False) as plain:
            with pytest.raises(lineshaft.JobFailed) as caught:
                plain.submit("bad").result(timeout=10)
            assert caught.value.code == "WORK_FAIL"


def test_tracebacks_when_asked(gearman_server, gearman_client):
    worker = Worker(gearman_server, tracebacks=True)

    @worker.function("bad")
    def a_name_to_find(job):
        raise ValueError("why")

    with worker, pytest.raises(lineshaft.JobException) as caught:
        gearman_client.submit("bad").result(timeout=10)
    assert "a_name_to_find" in caught.value.text and caught.value.text.endswith("ValueError: why\n")


def test_many_are_submitted_at_once(worker, gearman_client):
    tasks = gearman_client.submit_many(("reverse", b"%d" % i) for i in range(5000))
    assert [task.result(timeout=10) for task in tasks] == [(b"%d" % i)[::-1] for i in range(5000)]


def test_a_refused_job_among_many_keeps_its_place(gearman_server, gearman_client):
    jobs = [Submission("ok", b"1", background=True), Submission("", b"2"), Submission("ok", b"3", background=True)]
    first, second, third = gearman_client.submit_many(jobs)
    assert first.handle and third.handle and not second.handle
    with pytest.raises(lineshaft.InvalidArgument) as caught:
        second.result()
    assert caught.value.code == "INVALID_FUNCTION_NAME"


def test_map_holds_back_and_keeps_the_order(worker, gearman_client):
    asked = 0

    def workloads():
        nonlocal asked
        for i in range(10_000):
            asked += 1
            yield b"%d" % i

    results = gearman_client.map("reverse", workloads(), in_flight=50)
    assert next(results) == b"0"
    assert asked <= 51
    assert list(results) == [(b"%d" % i)[::-1] for i in range(1, 10_000)]


def test_map_tells_errors_in_their_places(gearman_server, gearman_client):
    worker = Worker(gearman_server)
    worker.add_function("inverse", lambda job: b"%d" % (12 // int(job.workload)))
    with worker:
        results = list(gearman_client.map("inverse", [b"1", b"0", b"3"], return_exceptions=True))
        assert results[0] == b"12" and results[2] == b"4"
        assert "ZeroDivisionError" in str(results[1])
        with pytest.raises(lineshaft.JobException):
            list(gearman_client.map("inverse", [b"0"]))


def test_large_workloads(worker, gearman_client):
    data = bytes(range(256)) * (4 << 12)
    assert gearman_client.submit("reverse", data).result(timeout=30) == data[::-1]


@pytest.mark.parametrize(
    "job",
    [
        Submission(""),
        Submission("f" * 513),
        Submission("f", unique="u" * 65),
        Submission("f", unique=""),
        Submission("f", priority="urgent"),
        Submission("f", delay=1, schedule="* * * * *"),
        Submission("f", schedule="* *"),
        Submission("f", delay=1, priority="high"),
    ],
)
def test_what_cannot_be_sent_is_a_value_error(gearman_client, job):
    with pytest.raises(ValueError):
        gearman_client.submit_many([job])[0].result()


def test_a_str_is_no_raw_workload_and_says_so(gearman_client):
    with pytest.raises(TypeError, match="codec"):
        gearman_client.submit("f", "text")
    with pytest.raises(TypeError):
        gearman_client.submit("f", b"", urgent=True)


def test_threads_share_a_client(worker, gearman_client):
    results = {}

    def ask(number):
        results[number] = [gearman_client.submit("reverse", b"%d" % (number * 100 + i)).result(timeout=20) for i in range(50)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [(b"%d" % (n * 100 + i))[::-1] for i in range(50)] for n in range(4)}


def test_a_closed_client_says_so(gearman_client):
    gearman_client.close()
    with pytest.raises(lineshaft.LineshaftError) as caught:
        gearman_client.submit("f")
    assert caught.value.code == "SHUTDOWN"


def test_echo(gearman_client):
    gearman_client.echo(b"\0\1\2")
