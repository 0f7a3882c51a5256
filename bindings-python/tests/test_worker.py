"""Workers, blocking and asyncio."""

import asyncio
import logging
import threading

import pytest

import lineshaft
from lineshaft import AsyncClient, AsyncWorker, Client, Worker


def test_a_job_tells_what_it_is_about(gearman_server, gearman_client):
    worker = Worker(gearman_server, name="teller")
    worker.add_function("tell", lambda job: f"{job.function} {job.unique} {job.handle} {job.reducer}".encode())
    with worker:
        task = gearman_client.submit("tell", b"w", unique="u")
        assert task.result(timeout=10).decode() == f"tell u {task.handle} None"
        with lineshaft.Admin(gearman_server) as admin:
            assert ("teller", ["tell"]) in [(row.client_id, row.functions) for row in admin.workers()]


def test_threads_do_jobs_at_once(gearman_server, gearman_client):
    together = threading.Barrier(3, timeout=20)
    worker = Worker(gearman_server, concurrency=3)
    worker.add_function("meet", lambda job: b"%d" % (together.wait() >= 0))
    with worker:
        assert list(gearman_client.map("meet", [b""] * 6, in_flight=6)) == [b"1"] * 6


def test_functions_come_and_go_while_it_runs(worker, gearman_client):
    worker.add_function("late", lambda job: b"late", timeout=5)
    assert gearman_client.submit("late").result(timeout=10) == b"late"
    assert worker.remove_function("late") and not worker.remove_function("late")
    assert worker.functions == ["reverse"]
    with pytest.raises(lineshaft.Timeout):
        gearman_client.submit("late").result(timeout=0.1)


def test_stopping_finishes_what_runs(gearman_server, gearman_client):
    on = threading.Event()
    worker = Worker(gearman_server)

    @worker.function("work")
    def work(job):
        on.set()
        worker.stop(wait=False)
        return b"done"

    worker.start()
    task = gearman_client.submit("work")
    gearman_client.submit("work", background=True)
    assert on.wait(10)
    worker.stop()
    assert task.result(timeout=10) == b"done"
    assert gearman_server.jobs == 1  # the other one was not begun


def test_after_its_grace_a_job_goes_to_another_worker(gearman_server, gearman_client):
    on, over = threading.Event(), threading.Event()
    slow = Worker(gearman_server)
    told = []

    @slow.function("work")
    def work(job):
        on.set()
        over.wait(20)
        told.append(job.cancelled)
        return b"too late"

    slow.start()
    task = gearman_client.submit("work")
    assert on.wait(10)
    slow.stop(grace=0.0)
    quick = Worker(gearman_server)
    quick.add_function("work", lambda job: b"quick")
    with quick:
        assert task.result(timeout=10) == b"quick"
    over.set()
    for thread in slow._workers:
        thread.join(10)
    assert told == [True]


def test_it_needs_functions():
    with pytest.raises(lineshaft.LineshaftError) as caught:
        Worker().run()
    assert caught.value.code == "NO_REGISTERED_FUNCTIONS"


def test_coroutines_belong_to_the_other_worker():
    async def coroutine(job):
        return b""

    with pytest.raises(TypeError, match="AsyncWorker"):
        Worker().add_function("f", coroutine)


def test_a_result_that_cannot_be_encoded_is_an_exception(gearman_server, gearman_client):
    worker = Worker(gearman_server)
    worker.add_function("f", lambda job: 7)
    with worker, pytest.raises(lineshaft.JobException, match="codec"):
        gearman_client.submit("f").result(timeout=10)


def test_a_server_that_is_not_there_is_logged(caplog, gearman_server, gearman_client):
    caplog.set_level(logging.WARNING, "lineshaft")
    worker = Worker(["127.0.0.1:1", gearman_server.address])
    worker.add_function("f", lambda job: b"1")
    with worker:
        assert gearman_client.submit("f").result(timeout=10) == b"1"
    assert any("127.0.0.1:1" in record.message for record in caplog.records)


def test_several_servers_are_served_at_once():
    with lineshaft.Server() as one, lineshaft.Server() as two:
        worker = Worker([one, two.address])
        worker.add_function("where", lambda job: job.workload)
        with worker, Client(one) as first, Client(two) as second:
            assert first.submit("where", b"1").result(timeout=10) == b"1"
            assert second.submit("where", b"2").result(timeout=10) == b"2"


def test_coroutines_and_plain_functions_in_one_async_worker(gearman_server):
    async def main():
        worker = AsyncWorker(gearman_server, concurrency=10)
        together = 0
        all_here = asyncio.Event()

        @worker.function("meet")
        async def meet(job):
            nonlocal together
            together += 1
            if together == 10:
                all_here.set()
            await all_here.wait()
            await job.send_data(b"a")
            await job.send_status(1, 1)
            assert not job.cancelled
            return job.workload

        @worker.function("plain")
        def plain(job):
            job.send_data(b"plain on ")
            return threading.current_thread().name.encode()

        async with worker, AsyncClient(gearman_server) as client:
            results = [r async for r in client.map("meet", [b"%d" % i for i in range(10)])]
            assert results == [b"a%d" % i for i in range(10)]
            assert b"plain on asyncio" in await (await client.submit("plain"))

    asyncio.run(main())


def test_an_async_workers_exceptions(gearman_server):
    async def main():
        worker = AsyncWorker(gearman_server)

        @worker.function("bad")
        async def bad(job):
            raise ValueError("why")

        async with worker, AsyncClient(gearman_server) as client:
            with pytest.raises(lineshaft.JobException, match="ValueError: why"):
                await (await client.submit("bad"))

    asyncio.run(main())


def test_an_async_worker_that_is_cancelled_gives_its_jobs_back(gearman_server, gearman_client):
    async def main():
        worker = AsyncWorker(gearman_server)
        on = asyncio.Event()
        ended = []

        @worker.function("f")
        async def forever(job):
            on.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        running = asyncio.ensure_future(worker.run())
        await on.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended == [True]

    task = gearman_client.submit("f")
    asyncio.run(main())
    worker = Worker(gearman_server)
    worker.add_function("f", lambda job: b"again")
    with worker:
        assert task.result(timeout=10) == b"again"


def test_a_function_with_a_timeout_loses_its_job(gearman_server, gearman_client):
    over = threading.Event()
    attempts = []
    worker = Worker(gearman_server, concurrency=2)

    @worker.function("slow", timeout=1)
    def slow(job):
        attempts.append(1)
        if len(attempts) == 1:
            over.wait(20)
            return b"too late"
        return b"second"

    with worker:
        assert gearman_client.submit("slow").result(timeout=20) == b"second"
        over.set()
