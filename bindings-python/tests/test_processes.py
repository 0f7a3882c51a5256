"""Processes: fork and multiprocessing, signals, servers and workers that go, memory, the runner."""

import asyncio
import gc
import multiprocessing
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

import pytest

import lineshaft
from lineshaft import Client, Server, Worker


def _ask(client, workload):
    return client.submit("reverse", workload).result(timeout=20)


def _ask_address(address, workload):
    with Client(address) as client:
        return _ask(client, workload)


def test_a_client_is_carried_over_fork(worker, gearman_server):
    client = Client(gearman_server)
    task = client.submit("reverse", b"parent")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # uses the same objects; the parent's connection and broker are not its own
        said = b"broken"
        try:
            answer = _ask(client, b"child")
            try:
                task.result(timeout=1)
            except lineshaft.LineshaftError as error:
                said = answer + b" " + error.code.encode()
        finally:
            os.write(write, said)
            os._exit(0)
    assert _ask(client, b"ab") == b"ba"
    os.close(write)
    assert os.read(read, 100) == b"dlihc SHUTDOWN"
    os.waitpid(child, 0)
    os.close(read)
    assert task.result(timeout=10) == b"tnerap"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(worker, gearman_server, method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        asked = [(gearman_server.address, b"%d" % i) for i in range(10)]
        assert pool.starmap(_ask_address, asked) == [(b"%d" % i)[::-1] for i in range(10)]


def test_asyncio_after_fork(worker, gearman_server):
    async def main():
        async with lineshaft.AsyncClient(gearman_server) as client:
            return await (await client.submit("reverse", b"ab"))

    assert asyncio.run(main()) == b"ba"
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = asyncio.run(main()) == b"ba"
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(main()) == b"ba"


WAITS = {
    "result": "client.submit('nobody').result()",
    "worker": "worker.run()",
    "background": "\nwith worker:\n    client.submit('nobody').result()",
    "job": "client.submit('f', background=True); worker.run()",
    "events": "list(client.submit('nobody'))",
    "stalled": "stall()",
    "asyncio": "asyncio.run(amain())",
    "async worker": "asyncio.run(aworker.run())",
}

PROGRAM = """
import asyncio, socket, sys, threading, time, lineshaft
server = lineshaft.Server()
client = lineshaft.Client(server.address)
worker = lineshaft.Worker(server.address)
aworker = lineshaft.AsyncWorker(server.address)
def job(job):
    print("ready", flush=True)
    while True:
        time.sleep(1)  # a job that takes its time
worker.add_function("f", job)
aworker.add_function("f", job)
async def amain():
    async with lineshaft.AsyncClient(server.address) as client:
        await (await client.submit("nobody"))
def stall():
    silent = socket.create_server(("127.0.0.1", 0))
    lineshaft.Client("127.0.0.1:%d" % silent.getsockname()[1]).submit("f")
try:
    if sys.argv[1] != "job":
        print("ready", flush=True)
    exec(compile(sys.argv[2], "wait", "exec"))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_every_wait(script, wait):
    program = script(PROGRAM, wait, WAITS[wait])
    assert program.line() == "ready"
    # It may not have begun to wait; then Ctrl-C comes before, which must end it all the same.
    program.signal(signal.SIGINT)
    rest, code = program.end()
    assert (rest.strip(), code) == ("interrupted", 0)


def test_sigterm_lets_a_worker_finish(script, gearman_server, gearman_client):
    program = script(
        "import sys, lineshaft\n"
        "worker = lineshaft.Worker(sys.argv[1])\n"
        "def f(job):\n"
        "    print('on', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    return b'finished'\n"
        "worker.add_function('f', f)\n"
        "worker.run()\n"
        "print('over')\n",
        gearman_server.address,
        stdin=subprocess.PIPE,
    )
    task = gearman_client.submit("f")
    gearman_client.submit("f", background=True)
    assert program.line() == "on"
    program.signal(signal.SIGTERM)
    program.process.stdin.write("\n")
    rest, code = program.end()
    assert (rest, code) == ("over\n", 0)
    assert task.result(timeout=10) == b"finished"
    assert gearman_server.jobs == 1


def test_a_worker_killed_in_mid_job_loses_no_job(script, gearman_server, gearman_client):
    program = script(
        "import sys, time, lineshaft\n"
        "worker = lineshaft.Worker(sys.argv[1])\n"
        "def f(job):\n"
        "    print('on', flush=True)\n"
        "    time.sleep(60)  # until it is killed\n"
        "worker.add_function('f', f)\n"
        "worker.run()\n",
        gearman_server.address,
    )
    task = gearman_client.submit("f", b"x")
    assert program.line() == "on"
    program.signal(signal.SIGKILL)
    program.end()
    worker = Worker(gearman_server)
    worker.add_function("f", lambda job: b"second")
    with worker:
        assert task.result(timeout=10) == b"second"


def test_a_server_that_goes_and_comes_back():
    server = Server()
    address = server.address
    worker = Worker(address)
    worker.add_function("reverse", lambda job: job.workload[::-1])
    with worker, Client(address) as client:
        assert _ask(client, b"ab") == b"ba"
        lost = client.submit("nobody")

        async def main():
            asynchronous = lineshaft.AsyncClient(address)
            pending = await asynchronous.submit("nobody")
            server.stop()
            with pytest.raises(lineshaft.ConnectionFailed):
                await pending
            return asynchronous

        asynchronous = asyncio.run(main())
        with pytest.raises(lineshaft.ConnectionFailed):
            lost.result(timeout=10)
        with Server(address):
            assert _ask(client, b"cd") == b"dc"

            async def again():
                return await (await asynchronous.submit("reverse", b"ef"))

            assert asyncio.run(again()) == b"fe"


def test_an_idle_client_notices_that_its_server_was_started_anew():
    server = Server()
    client = Client(server.address)
    client.echo()
    server.stop()
    with Server(server.address):
        assert client.submit("f", background=True).handle


def resident():
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_100_000_jobs_without_growth(worker, gearman_server):
    with Client(gearman_server) as client:

        def rounds(jobs):
            for result in client.map("reverse", (b"%060d" % i for i in range(jobs))):
                assert len(result) == 60
            gc.collect()

        rounds(20_000)
        before = resident()
        rounds(80_000)
        assert resident() - before < 4 << 20
        assert gearman_server.jobs == 0


def test_objects_that_come_and_go_leave_nothing(gearman_server):
    def once():
        with Client(gearman_server.address) as client:
            client.echo()
        worker = Worker(gearman_server.address)
        worker.add_function("f", lambda job: b"")
        with worker:
            pass
        with Server():
            pass

    once()
    gc.collect()
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(20):
        once()
    gc.collect()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_a_background_worker_at_exit_is_no_trouble(script):
    program = script(
        "import lineshaft\n"
        "server = lineshaft.Server()\n"
        "worker = lineshaft.Worker(server, concurrency=3)\n"
        "worker.add_function('f', lambda job: b'')\n"
        "worker.start()\n"
        "lineshaft.Client(server).submit('f').result()\n"
        "print('bye')\n",
        stderr=subprocess.STDOUT,
    )
    assert program.end() == ("bye\n", 0)


@pytest.fixture
def runner(script, gearman_server, tmp_path):
    """Starts the runner on a worker whose text stands in a file of its own."""

    def start(*words, text="def f(job):\n    return b'%d' % os.getpid()\n", kind="Worker"):
        (tmp_path / "app.py").write_text(
            f"import os, sys, lineshaft\nworker = lineshaft.{kind}({gearman_server.address!r})\n"
            f"{text}worker.add_function('f', f)\n"
        )
        arguments = ["-m", "lineshaft", "worker", "app:worker", *words]
        return script(None, *arguments, cwd=tmp_path, stderr=subprocess.STDOUT)

    return start


def until(program, *words):
    """Reads lines until one holds all these words."""
    lines = []
    while True:
        line = program.line()
        lines.append(line)
        assert line, lines
        if all(word in line for word in words):
            return line


def test_the_runner_keeps_its_children_alive(runner, gearman_client):
    program = runner("--processes", "2")
    until(program, "does f")
    until(program, "does f")
    first = int(gearman_client.submit("f").result(timeout=20))
    os.kill(first, signal.SIGKILL)
    until(program, f"[{first}] has died by SIGKILL", "the next one starts in 0.2 s")
    until(program, "is started")
    until(program, "does f")
    assert int(gearman_client.submit("f").result(timeout=20)) != first
    program.signal(signal.SIGTERM)
    rest, code = program.end()
    assert code == 0 and "all children have ended" in rest and "worker 1" in rest and "worker 2" in rest


def test_the_runner_starts_children_anew_after_so_many_jobs(runner, gearman_client):
    program = runner("--max-jobs", "2", "-v", kind="AsyncWorker", text="async def f(job):\n    return b'%d' % os.getpid()\n")
    seen = [gearman_client.submit("f").result(timeout=20) for _ in range(6)]
    assert len(set(seen)) == 3
    until(program, "worker 1", "job H:lineshaft:1 of f ends")
    until(program, "ends after 2 jobs")
    program.signal(signal.SIGINT)
    assert program.end()[1] == 0


def test_the_runner_starts_children_anew_that_hold_much_memory(runner, gearman_client):
    program = runner("--max-rss", "1")
    seen = [gearman_client.submit("f").result(timeout=20) for _ in range(2)]
    assert seen[0] != seen[1]
    until(program, "MiB of memory")


def test_the_runner_reloads(runner, gearman_client, tmp_path):
    program = runner("--reload")
    until(program, "does f")
    first = gearman_client.submit("f").result(timeout=20)
    program.signal(signal.SIGHUP)
    until(program, "SIGHUP")
    until(program, "does f")
    second = gearman_client.submit("f").result(timeout=20)
    assert first != second
    app = tmp_path / "app.py"
    app.write_text(app.read_text().replace("os.getpid()", "0"))
    until(program, "has changed")
    until(program, "does f")
    assert gearman_client.submit("f").result(timeout=20) == b"0"


def test_the_runner_backs_off_from_what_cannot_start(runner):
    program = runner(text="raise ValueError('broken')\n")
    until(program, "starts in 0.2 s")
    until(program, "starts in 0.4 s")
    until(program, "starts in 0.8 s")
    program.signal(signal.SIGTERM)
    assert program.end()[1] == 0


def test_sigterm_lets_the_runners_jobs_finish(runner, gearman_client):
    program = runner(
        "--concurrency", "2", text="import time\ndef f(job):\n    print('on', flush=True)\n    time.sleep(0.5)  # runs on\n    return b'done'\n"
    )
    task = gearman_client.submit("f")
    until(program, "on")
    program.signal(signal.SIGTERM)
    assert task.result(timeout=20) == b"done"
    assert program.end()[1] == 0


def test_children_end_with_their_supervisor(runner, gearman_server, gearman_client):
    program = runner()
    until(program, "does f")
    program.signal(signal.SIGKILL)
    rest, _ = program.end()  # the child holds the pipe until it has ended
    assert "the supervisor is gone" in rest


def test_usage(script):
    program = script(None, "-m", "lineshaft", "worker", "nonsense", stderr=subprocess.STDOUT)
    until(program, "'nonsense' is not of the form module:worker")
    program.signal(signal.SIGTERM)
    program.end()


def test_a_store_keeps_jobs_over_the_end_of_the_server(tmp_path):
    store = f"log:{tmp_path / 'queue'}"
    with Server(store=store) as server, Client(server) as client:
        handle = client.submit("keep", b"a\0b", background=True).handle
    with Server(store=store) as server:
        assert server.jobs == 1
        got = queue.Queue()
        worker = Worker(server)
        worker.add_function("keep", lambda job: got.put((job.handle, job.data)))
        with worker:
            assert got.get(timeout=20) == (handle, b"a\0b")
        with pytest.raises(lineshaft.LineshaftError) as caught:
            Server(store=store)
        assert caught.value.code == "QUEUE_ERROR"
    with pytest.raises(lineshaft.LineshaftError) as caught:
        Server(store="nowhere:at-all")
    assert caught.value.code == "QUEUE_ERROR"
