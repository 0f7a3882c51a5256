"""Lineshaft's Python package beside gear, gearman3 and RQ on Redis: submits and round trips a second, on this machine, in one run.

    python benches/compare.py [--jobs N] [--rounds N] [--only lineshaft,gear] [--port PORT]

It needs lineshaft, gear, gearman3, rq and redis in the interpreter's environment, and redis-server on PATH. All Gearman
clients and workers use the same server: lineshaft's, in a process of its own, or another one with `--port`. Workers are processes of their own, one a side, which
return the 100 bytes that they get. Each side is asked in the fastest way that its documentation offers. Rounds of the
sides are interleaved, the medians are compared. A ratio says how many times as many jobs Lineshaft does in the same time.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterator

WORKLOAD = b"x" * 100
#: Jobs under way at once, where a side can do that.
IN_FLIGHT = 256


def old_arrays() -> None:
    """gearman3 0.2.1 calls a method of arrays that Python 3.9 has renamed: without it, it runs nowhere any more."""
    import array
    import types

    import gearman.connection

    class Array(array.array):  # type: ignore[type-arg]
        fromstring = array.array.frombytes

        def __getitem__(self, at: Any) -> Any:
            part = super().__getitem__(at)
            return Array("b", part) if isinstance(at, slice) else part

    gearman.connection.array = types.SimpleNamespace(array=Array)


def serve(pipe: Any) -> None:
    import lineshaft

    server = lineshaft.Server()
    pipe.send(server.port)
    pipe.recv()


def lineshaft_worker(port: int) -> None:
    import lineshaft

    worker = lineshaft.Worker(f"127.0.0.1:{port}", concurrency=1)
    worker.add_function("lineshaft", lambda job: job.workload)
    worker.run()


def lineshaft_async_worker(port: int) -> None:
    import asyncio

    import lineshaft

    async def echo(job: lineshaft.AsyncJob) -> bytes:
        return job.data

    worker = lineshaft.AsyncWorker(f"127.0.0.1:{port}", concurrency=64)
    worker.add_function("lineshaft-async", echo)
    asyncio.run(worker.run())


def gear_worker(port: int) -> None:
    import gear

    worker = gear.Worker("bench")
    worker.addServer("127.0.0.1", port)
    worker.waitForServer()
    worker.registerFunction("gear")
    while True:
        job = worker.getJob()
        job.sendWorkComplete(job.arguments)


def gearman3_worker(port: int) -> None:
    import gearman

    old_arrays()
    worker = gearman.GearmanWorker([f"127.0.0.1:{port}"])
    worker.register_task(b"gearman3", lambda worker, job: job.data)
    worker.work()


#: RQ finds functions by name only.
JOB = f"{pathlib.Path(__file__).stem}.rq_job"


def rq_job(data: bytes) -> bytes:
    return data


def rq_worker(port: int) -> None:
    import redis
    import rq

    logging.disable(logging.CRITICAL)
    connection = redis.Redis(port=port)
    rq.SimpleWorker(["rq"], connection=connection).work(logging_level="CRITICAL")


class Lineshaft:
    name = "lineshaft"

    def __init__(self, port: int) -> None:
        import lineshaft

        self.client = lineshaft.Client(f"127.0.0.1:{port}")

    def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            self.client.submit("idle", WORKLOAD, background=True)

    def submit_many(self, jobs: int) -> None:
        import lineshaft

        self.client.submit_many(lineshaft.Submission("idle", WORKLOAD, background=True) for _ in range(jobs))

    def round_trips(self, jobs: int) -> None:
        for _ in range(jobs):
            assert self.client.submit("lineshaft", WORKLOAD).result() == WORKLOAD

    def round_trips_many(self, jobs: int) -> None:
        assert sum(1 for _ in self.client.map("lineshaft", (WORKLOAD for _ in range(jobs)), in_flight=IN_FLIGHT)) == jobs


class LineshaftAsync:
    name = "lineshaft asyncio"

    def __init__(self, port: int) -> None:
        import asyncio

        import lineshaft

        self.client = lineshaft.AsyncClient(f"127.0.0.1:{port}")
        self.loop = asyncio.new_event_loop()

    def submit(self, jobs: int) -> None:
        async def main() -> None:
            for _ in range(jobs):
                await self.client.submit("idle", WORKLOAD, background=True)

        self.loop.run_until_complete(main())

    def submit_many(self, jobs: int) -> None:
        import lineshaft

        wanted = (lineshaft.Submission("idle", WORKLOAD, background=True) for _ in range(jobs))
        self.loop.run_until_complete(self.client.submit_many(wanted))

    def round_trips(self, jobs: int) -> None:
        async def main() -> None:
            for _ in range(jobs):
                assert await (await self.client.submit("lineshaft-async", WORKLOAD)) == WORKLOAD

        self.loop.run_until_complete(main())

    def round_trips_many(self, jobs: int) -> None:
        async def main() -> None:
            count = 0
            async for _ in self.client.map("lineshaft-async", (WORKLOAD for _ in range(jobs)), in_flight=IN_FLIGHT):
                count += 1
            assert count == jobs

        self.loop.run_until_complete(main())


class Gear:
    name = "gear"

    def __init__(self, port: int) -> None:
        import gear

        outer = self
        self.left = 0

        class Counting(gear.Client):  # type: ignore[misc]
            def handleWorkComplete(self, packet: Any) -> Any:
                job = super().handleWorkComplete(packet)
                outer.left -= 1
                return job

        self.gear = gear
        self.client = Counting()
        self.client.addServer("127.0.0.1", port)
        self.client.waitForServer()

    def _job(self, function: bytes) -> Any:
        return self.gear.Job(function, WORKLOAD)

    def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            self.client.submitJob(self._job(b"idle"), background=True)

    submit_many = submit

    def round_trips(self, jobs: int) -> None:
        for _ in range(jobs):
            self._wait_for(1)

    def round_trips_many(self, jobs: int) -> None:
        self._wait_for(jobs)

    def _wait_for(self, jobs: int) -> None:
        self.left = jobs
        for _ in range(jobs):
            self.client.submitJob(self._job(b"gear"))
        while self.left:
            time.sleep(0.0001)  # gear offers nothing to wait for


class Gearman3:
    name = "gearman3"

    def __init__(self, port: int) -> None:
        import gearman

        old_arrays()
        self.client = gearman.GearmanClient([f"127.0.0.1:{port}"])

    def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            self.client.submit_job("idle", WORKLOAD, background=True, wait_until_complete=False)

    def _many(self, task: str, jobs: int, background: bool) -> None:
        # All at once is quadratic in it.
        while jobs > 0:
            batch = [{"task": task, "data": WORKLOAD} for _ in range(min(jobs, IN_FLIGHT))]
            self.client.submit_multiple_jobs(batch, background=background, wait_until_complete=not background)
            jobs -= IN_FLIGHT

    def submit_many(self, jobs: int) -> None:
        self._many("idle", jobs, True)

    def round_trips(self, jobs: int) -> None:
        for _ in range(jobs):
            self.client.submit_job("gearman3", WORKLOAD)

    def round_trips_many(self, jobs: int) -> None:
        self._many("gearman3", jobs, False)


class Rq:
    name = "rq"

    def __init__(self, port: int) -> None:
        import redis
        import rq

        self.rq = rq
        self.redis = redis.Redis(port=port)
        self.idle = rq.Queue("idle", connection=self.redis)
        self.queue = rq.Queue("rq", connection=self.redis)

    def submit(self, jobs: int) -> None:
        for _ in range(jobs):
            self.idle.enqueue(JOB, WORKLOAD)

    def submit_many(self, jobs: int) -> None:
        self.idle.enqueue_many([self.rq.Queue.prepare_data(JOB, (WORKLOAD,)) for _ in range(jobs)])

    def _finished(self, job: Any) -> None:
        while job.latest_result(timeout=10) is None:
            pass

    def round_trips(self, jobs: int) -> None:
        for _ in range(jobs):
            self._finished(self.queue.enqueue(JOB, WORKLOAD))

    def round_trips_many(self, jobs: int) -> None:
        queued = self.queue.enqueue_many([self.rq.Queue.prepare_data(JOB, (WORKLOAD,)) for _ in range(jobs)])
        for job in queued:
            self._finished(job)


#: Name of the work, method, share of `--jobs` for Lineshaft and for the others.
WORKS = [
    ("submit in the background, one at a time", "submit", 0.5, 0.25),
    ("submit in the background, many", "submit_many", 4.0, 0.25),
    ("round trips, one at a time", "round_trips", 0.25, 0.05),
    ("round trips, many under way", "round_trips_many", 2.0, 0.1),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def redis_server() -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not on PATH; on Debian: apt-get install redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)  # until it listens; redis tells no other way
            yield port
        finally:
            process.terminate()
            process.wait()


def rate(side: Any, method: str, jobs: int) -> float:
    start = time.perf_counter()
    getattr(side, method)(jobs)
    return jobs / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=8000, help="jobs a round and work, before each side's share (8000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved (3)")
    parser.add_argument("--only", default="lineshaft,lineshaft asyncio,gear,gearman3,rq", help="sides, with commas between")
    parser.add_argument("--port", type=int, help="a Gearman server on 127.0.0.1 to be used instead of lineshaft's")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    processes = [context.Process(target=serve, args=(theirs,))]
    processes[0].start()
    port = arguments.port or ours.recv()
    with redis_server() as redis_port:
        workers: list[tuple[Callable[[int], None], int]] = [
            (lineshaft_worker, port),
            (lineshaft_async_worker, port),
            (gear_worker, port),
            (gearman3_worker, port),
            (rq_worker, redis_port),
        ]
        names = ["lineshaft", "lineshaft asyncio", "gear", "gearman3", "rq"]
        for name, (work, at) in zip(names, workers):
            if name in wanted:
                processes.append(context.Process(target=work, args=(at,), daemon=True))
                processes[-1].start()
        classes: list[Callable[[int], Any]] = [Lineshaft, LineshaftAsync, Gear, Gearman3, Rq]
        sides = [make(at) for name, make, (_, at) in zip(names, classes, workers) if name in wanted]
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(arguments.rounds):
            for work, method, our_share, their_share in WORKS:
                for side in sides:
                    share = our_share if side.name.startswith("lineshaft") else their_share
                    jobs = max(int(arguments.jobs * share), 20)
                    rates.setdefault((work, side.name), []).append(rate(side, method, jobs))
        for process in reversed(processes):
            process.terminate()
            process.join()
        print(f"jobs a second, medians of {arguments.rounds} rounds; in brackets: lineshaft (blocking) is so many times as fast")
        for work, *_ in WORKS:
            base = statistics.median(rates[work, "lineshaft"]) if "lineshaft" in wanted else 0.0
            print(f"\n{work}")
            for side in sides:
                value = statistics.median(rates[work, side.name])
                print(f"  {side.name:18} {value:10,.0f}   ({base / value:.1f})")
    os._exit(0)  # gear's threads do not end by themselves


if __name__ == "__main__":
    main()
