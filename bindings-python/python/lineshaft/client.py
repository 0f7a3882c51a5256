"""The blocking client."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Union

from . import _native
from .codec import CodecLike, codec as codec_of
from .errors import LineshaftError
from .server import Forkable, Servers, given as servers_given
from .submission import (
    Event,
    JobStatus,
    Name,
    Submission,
    SubmissionLike,
    SubmitOptions,
    given,
    is_background,
    to_bytes,
    to_text,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Jobs that `map` hands to the server at once.
BATCH = 128


class ClientOptions(Forkable):
    """What the blocking and the asyncio client share: their options, and a native half for each process."""

    _asynchronous = False

    def __init__(
        self,
        servers: Servers = None,
        *,
        codec: CodecLike = "raw",
        timeout: Optional[float] = None,
        connect_timeout: float = 5.0,
        reconnect_within: float = 5.0,
        answer_timeout: float = 30.0,
        exceptions: bool = True,
        max_unanswered: int = 1024,
    ) -> None:
        super().__init__()
        self._servers = servers
        self._codec = codec_of(codec)
        self._closed = False
        self._options = (
            connect_timeout, reconnect_within, answer_timeout, timeout, exceptions, max_unanswered, self._asynchronous
        )  # fmt: skip
        self._made = self._make()

    def _make(self) -> _native.Client:
        if self._closed:
            raise LineshaftError("SHUTDOWN", "client", "the client has been closed")
        return _native.Client(servers_given(self._servers), *self._options)


class Client(ClientOptions):
    """A client that works on the caller's thread: it owns no thread, connects with its first request, and may be carried over
    `fork()`: the child connects anew. Several threads may share one; they share its connection.

    A lost connection ends the foreground tasks that are under way with `ConnectionFailed` (their jobs may have run); the next
    request connects again, to the first server of the list that can be reached. Ctrl-C interrupts every wait.

    >>> with Server() as server, Client(server) as client:
    ...     client.submit("reverse", b"abc", background=True).handle
    'H:lineshaft:1'

    Args:
        servers: an address (`"host:port"`, `"host"`, `"unix:/path"`), a `Server` of this process, a list of those, or `None`:
            127.0.0.1:4730.
        codec: what makes bytes of workloads and objects of results: `"raw"` (bytes, the default), `"json"`, `"pickle"`, or a
            pair of functions (encode, decode).
        timeout: seconds that a foreground task may take, submission to result. `None`, the default: without limit.
        connect_timeout: seconds for one attempt to reach one address.
        reconnect_within: seconds for which a client that has lost its connection tries again before it raises.
        answer_timeout: seconds that a server may be silent while it owes an answer before the connection is given up.
        exceptions: whether a worker's exceptions arrive as `JobException`; otherwise as `JobFailed`.
        max_unanswered: requests that may wait for the server's answer before further ones are held back.

    Raises:
        InvalidArgument: a text is no address.
    """

    _native: Any

    def connect(self) -> None:
        """Connects now, where the first request would.

        Raises:
            ConnectionFailed: no server can be reached; the text names each with its reason.
        """
        self._native.connect().wait()

    def submit(self, function: Name, workload: Any = b"", **options: Unpack[SubmitOptions]) -> Task:
        """Submits a job and waits until the server has it.

        Args:
            function: the function's name.
            workload: bytes, or what the codec encodes.
            options: `unique`, `priority`, `background`, `run_at`, `delay`, `schedule`, `reducer`, `timeout`: see `Submission`.

        Raises:
            InvalidArgument: it cannot be sent as it is.
            ConnectionFailed: no server can be reached, or the connection was lost; then the job may exist all the same.
            LineshaftError: what the server says: `QUEUE_ERROR`, ...
        """
        job = Submission(function, workload, **options)._given(self._codec)
        (task,) = self._native.submit([job], True).wait()
        if isinstance(task, LineshaftError):
            raise task
        return Task(self, task, is_background(job))

    def submit_many(self, jobs: Iterable[SubmissionLike]) -> list[Task]:
        """Submits many jobs, `Submission`s or pairs of function and workload, without waiting for one before the next is sent,
        then waits until the server has answered all. Sending is held back while the server is behind.

        Returns:
            The tasks, in the order of the jobs. A job that was refused is a task whose `result` raises the reason.
        """
        asked = given(jobs, self._codec)
        tasks = self._native.submit(asked, True).wait()
        return [Task(self, task, is_background(job)) for job, task in zip(asked, tasks)]

    def map(
        self,
        function: Name,
        workloads: Iterable[Any],
        *,
        in_flight: int = 256,
        return_exceptions: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> Iterator[Any]:
        """Runs a foreground job for each workload and yields the results in the order of the workloads. At most `in_flight` are
        under way at once; the next workloads are asked for as results are taken.

        Args:
            in_flight: how many jobs are under way at the most.
            return_exceptions: yields the error of a job in its place; otherwise it is raised, and the rest is given up.
            options: as for `submit`.
        """
        rest = Submission(function, b"", **options)._rest()
        name, encode, decode = to_bytes(function), self._codec.encode, self._codec.decode
        background = is_background((name, b"", *rest))
        jobs = iter(workloads)
        under_way: deque[Any] = deque()
        exhausted = False
        while True:
            room = max(in_flight, 1) - len(under_way)
            batch: list[Any] = []
            while not exhausted and len(batch) < min(room, BATCH):
                try:
                    batch.append((name, encode(next(jobs)), *rest))
                except StopIteration:
                    exhausted = True
            if batch:
                under_way.extend(self._native.submit(batch, False).wait())
                if len(under_way) < in_flight and not exhausted:
                    continue
            if not under_way:
                return
            for result in _first_results(under_way):
                if not isinstance(result, LineshaftError):
                    yield None if background else decode(result)
                elif return_exceptions:
                    yield result
                else:
                    raise result

    def status(self, job: Union[Name, Task]) -> JobStatus:
        """How a job stands, by its handle or task. A job of another server than the one that this client uses is not known.

        Raises:
            ConnectionFailed: no server can be reached, or the connection was lost.
        """
        handle = job.handle if isinstance(job, Task) else job
        return JobStatus(*self._native.status(to_bytes(handle)).wait())

    def status_by_unique(self, unique: Name) -> JobStatus:
        """How the job with this unique stands, whatever its function.

        Raises:
            ConnectionFailed: as for `status`.
        """
        return JobStatus(*self._native.status_by_unique(to_bytes(unique)).wait())

    def echo(self, data: bytes = b"lineshaft") -> None:
        """Sends bytes to the server and compares what comes back: the server is there and answers.

        Raises:
            LineshaftError: `ECHO_DATA_CORRUPTION`, or as for `status`.
        """
        self._native.echo(data).wait()

    def close(self) -> None:
        """Ends the connection. Tasks that are kept end with `ConnectionFailed`; further requests raise `SHUTDOWN`."""
        self._closed = True
        self._made = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _first_results(under_way: deque[Any]) -> list[Any]:
    """Waits for the first task and takes the results that are there, in order."""
    if isinstance(under_way[0], LineshaftError):
        return [under_way.popleft()]
    tasks: list[Any] = []
    for task in under_way:
        if isinstance(task, LineshaftError) or len(tasks) == BATCH:
            break
        tasks.append(task)
    results: list[Any] = _native.ready(tasks).wait()
    for _ in results:
        under_way.popleft()
    return results


class Task:
    """A submitted job, as its client sees it: wait for its `result`, or iterate over its events as they come.

    Dropping it does not cancel the job.
    """

    def __init__(self, client: Client, native: Any, background: bool) -> None:
        self._client = client
        self._background = background
        self._outcome: Optional[tuple[bytes, Optional[LineshaftError]]] = None
        if isinstance(native, LineshaftError):
            self._outcome = (b"", native)
        else:
            self._native: _native.Task = native

    @property
    def handle(self) -> str:
        """The server's name for the job; empty where it was refused (str)."""
        return to_text(self._native.handle()) if hasattr(self, "_native") else ""

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for the end of the job and returns its result: all pieces of data and the final one put together, decoded by the
        client's codec. What was taken as an event before is not in it. A background job is over when
        the server has it, with the result `None`. It can be asked for again.

        Args:
            timeout: seconds to wait now; `None`: without limit. After a `Timeout` the result can still be waited for.

        Raises:
            JobException: the worker's exception.
            JobFailed: the worker said no more than that.
            ConnectionFailed: the connection was lost; the job may have run.
            Timeout: `timeout`, or that of the submission, has passed.
        """
        if self._outcome is None:
            self._outcome = _outcome(self._native.result(), timeout)
        data, error = self._outcome
        if error is not None:
            raise error
        return None if self._background else self._client._codec.decode(data)

    def done(self) -> bool:
        """True when nothing more will come from the server. Looks at what has arrived so far, without waiting."""
        return self._outcome is not None or self._native.is_over()

    def status(self) -> JobStatus:
        """How the job stands, asked of the server: see `Client.status`."""
        return self._client.status(self)

    def __iter__(self) -> Iterator[Event]:
        """The events as they come; ends behind the last one.

        Raises:
            LineshaftError: what ended the task without an event: `ConnectionFailed`, `Timeout`. A job's failure and its
                exception are events.
        """
        while self._outcome is None:
            event = self._native.event().wait()
            if event is None:
                return
            yield Event(*event)

    def __repr__(self) -> str:
        return f"<lineshaft.Task {self.handle!r}>"


def _outcome(op: _native.Op, timeout: Optional[float]) -> tuple[bytes, Optional[LineshaftError]]:
    """What can be kept; that nobody wants to wait longer is no outcome."""
    try:
        return op.wait(timeout), None
    except LineshaftError as error:
        if error.operation == "wait":
            raise
        return b"", error
