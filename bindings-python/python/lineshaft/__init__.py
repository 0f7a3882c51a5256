"""Lineshaft: Gearman jobs for Python. Submit jobs, do jobs, and hold the broker itself in this process.

    import asyncio, lineshaft

    with lineshaft.Server() as server:                  # a real broker in this process, on a free port
        worker = lineshaft.Worker(server)               # or "host:port", a list of them, or nothing: 127.0.0.1:4730

        @worker.function("reverse")
        def reverse(job):
            return job.workload[::-1]

        with worker:                                    # runs in the background; worker.run() blocks instead
            client = lineshaft.Client(server)
            assert client.submit("reverse", b"abc").result(timeout=10) == b"cba"

            async def main():
                async with lineshaft.AsyncClient(server) as client:
                    tasks = [await client.submit("reverse", b"%d" % i) for i in range(100)]
                    return [await task for task in tasks]
            asyncio.run(main())

`Client` and `Worker` work on the caller's threads, `AsyncClient` and `AsyncWorker` in asyncio; all speak to any Gearman
server. `Server` is one, in this process. `Admin` asks a server what it has and does. `python -m lineshaft worker
module:worker` runs a worker in several processes. Times are seconds. Every error is a `LineshaftError` with a stable `code`.
"""

from ._native import __version__
from .admin import Admin, FunctionStatus, JobRow, PriorityStatus, ScheduleRow, WorkerStatus
from .aio import AsyncClient, AsyncTask
from .aio_worker import AsyncJob, AsyncWorker
from .client import Client, Task
from .codec import JSON, PICKLE, RAW, Codec
from .errors import ConnectionFailed, InvalidArgument, JobException, JobFailed, LineshaftError, Timeout
from .server import Server
from .submission import Event, JobStatus, Submission
from .worker import Job, Worker

__all__ = [
    "JSON",
    "PICKLE",
    "RAW",
    "Admin",
    "AsyncClient",
    "AsyncJob",
    "AsyncTask",
    "AsyncWorker",
    "Client",
    "Codec",
    "ConnectionFailed",
    "Event",
    "FunctionStatus",
    "InvalidArgument",
    "Job",
    "JobException",
    "JobFailed",
    "JobRow",
    "JobStatus",
    "LineshaftError",
    "PriorityStatus",
    "ScheduleRow",
    "Server",
    "Submission",
    "Task",
    "Timeout",
    "Worker",
    "WorkerStatus",
    "__version__",
]
