"""The admin client."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple, Optional, Union

from . import _native
from .server import Forkable, Server, given as servers_given
from .submission import Name, to_bytes, to_text


class FunctionStatus(NamedTuple):
    """A line of `status`: the function, its jobs (queued, running and not yet due), those that run, its workers."""

    function: str
    total: int
    running: int
    workers: int


class PriorityStatus(NamedTuple):
    """A line of `prioritystatus`: the function, its queued jobs of each priority, its workers."""

    function: str
    high: int
    normal: int
    low: int
    workers: int


class WorkerStatus(NamedTuple):
    """A line of `workers`: a connection of whatever kind, its peer, what it calls itself (`-`: nothing), what it can do."""

    descriptor: int
    address: str
    client_id: str
    functions: list[str]


class JobRow(NamedTuple):
    """A line of `show jobs`: the job, how often it was given back, whether it was cancelled, whether it is a background job."""

    handle: str
    retries: int
    ignored: bool
    persisted: bool


class ScheduleRow(NamedTuple):
    """A line of `show schedules`: its handle, what it submits, the cron fields (0 is Monday), the Unix second of the next time
    (`None`: there is none), how often it was submitted, and how often skipped because the last job was not done."""

    handle: str
    function: str
    unique: str
    fields: str
    next: Optional[int]
    fired: int
    skipped: int


class Admin(Forkable):
    """The text protocol of one server: what it has, what it does, and a few commands. It connects with its first command, and
    again after an error.

    >>> with Server() as server, Admin(server) as admin:
    ...     admin.create_function("resize")
    ...     admin.status()
    [FunctionStatus(function='resize', total=0, running=0, workers=0)]

    Args:
        server: one address or a `Server` of this process; `None`: 127.0.0.1:4730.
        connect_timeout: seconds for one attempt to connect.
        answer_timeout: seconds that one answer may take.

    Every method raises `ConnectionFailed` where the server cannot be reached, `Timeout`, and `LineshaftError` with what the
    server has to say.
    """

    _native: Any

    def __init__(
        self, server: Union[str, Server, None] = None, *, connect_timeout: float = 5.0, answer_timeout: float = 30.0
    ) -> None:
        super().__init__()
        self._server = server
        self._timeouts = (connect_timeout, answer_timeout)

    def _make(self) -> _native.Admin:
        return _native.Admin(servers_given(self._server), *self._timeouts, False)

    def version(self) -> str:
        """The server's version (str)."""
        return str(self._native.version().wait())

    def getpid(self) -> int:
        """The server's process id (int)."""
        return int(self._native.getpid().wait())

    def status(self) -> list[FunctionStatus]:
        """All functions, with their jobs and workers."""
        return [FunctionStatus(to_text(name), *rest) for name, *rest in self._native.status().wait()]

    def priority_status(self) -> list[PriorityStatus]:
        """All functions, with their queued jobs of each priority."""
        return [PriorityStatus(to_text(name), *rest) for name, *rest in self._native.priority_status().wait()]

    def workers(self) -> list[WorkerStatus]:
        """All connections, this one included, with what they can do."""
        rows = self._native.workers().wait()
        return [WorkerStatus(row[0], row[1], row[2], [to_text(name) for name in row[3]]) for row in rows]

    def jobs(self) -> list[JobRow]:
        """All jobs."""
        return [JobRow(to_text(handle), *rest) for handle, *rest in self._native.jobs().wait()]

    def unique_jobs(self) -> list[str]:
        """The uniques of all jobs."""
        return [to_text(unique) for unique in self._native.unique_jobs().wait()]

    def schedules(self) -> list[ScheduleRow]:
        """All schedules. gearmand does not know them: `InvalidArgument`."""
        rows = self._native.schedules().wait()
        return [ScheduleRow(to_text(row[0]), to_text(row[1]), to_text(row[2]), *row[3:]) for row in rows]

    def cancel(self, handle: Name) -> None:
        """Cancels a job, or ends a schedule. Who waits for the job hears that it failed."""
        self._native.cancel(to_bytes(handle)).wait()

    def create_function(self, function: Name) -> None:
        """Makes a function known to the server; it may be known already."""
        self._native.create_function(to_bytes(function)).wait()

    def drop_function(self, function: Name) -> None:
        """Lets the server forget a function. It must not have workers or running jobs."""
        self._native.drop_function(to_bytes(function)).wait()

    def max_queue(
        self,
        function: Name,
        jobs: Optional[int] = None,
        *,
        high: Optional[int] = None,
        normal: Optional[int] = None,
        low: Optional[int] = None,
    ) -> None:
        """Limits the jobs of a function: `jobs` of any priority, or a number for each priority. `None` and 0: without limit."""
        name = to_bytes(function)
        if high is None and normal is None and low is None:
            self._native.max_queue(name, jobs).wait()
        else:
            self._native.max_queue_by_priority(name, [high, normal, low]).wait()

    def command(self, line: str) -> list[bytes]:
        """Any command, without its line end; its lines without theirs, and without the dot that ends a list (list of bytes)."""
        answer: list[bytes] = self._native.command(line).wait()
        return answer

    def close(self) -> None:
        """Ends the connection; the next command makes a new one."""
        self._made = None

    def __enter__(self) -> Admin:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
