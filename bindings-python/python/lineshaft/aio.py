"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Generator, Iterable, Optional, Union

from . import _loop, _native
from .client import BATCH, ClientOptions
from .errors import LineshaftError, Timeout
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


class AsyncClient(ClientOptions):
    """A client for asyncio, with the words and options of `Client`. Its connection is served by one I/O thread of the process,
    `lineshaft-asyncio`; any number of coroutines may share it, in one event loop or several.

    Cancelling an `await` gives up the waiting, not the job; a task can be awaited again.

    Args, Raises: as for `Client`.
    """

    _native: Any
    _asynchronous = True

    async def connect(self) -> None:
        """Connects now, where the first request would. Raises as `Client.connect`."""
        await _loop.run(self._native.connect())

    async def submit(self, function: Name, workload: Any = b"", **options: Unpack[SubmitOptions]) -> AsyncTask:
        """Submits a job and waits until the server has it; the task is what its result can be awaited from. Arguments and errors
        as for `Client.submit`."""
        job = Submission(function, workload, **options)._given(self._codec)
        (task,) = await _loop.run(self._native.submit([job], True))
        if isinstance(task, LineshaftError):
            raise task
        return AsyncTask(self, task, is_background(job))

    async def submit_many(self, jobs: Iterable[SubmissionLike]) -> list[AsyncTask]:
        """Submits many jobs at once, as `Client.submit_many` does."""
        asked = given(jobs, self._codec)
        tasks = await _loop.run(self._native.submit(asked, True))
        return [AsyncTask(self, task, is_background(job)) for job, task in zip(asked, tasks)]

    async def map(
        self,
        function: Name,
        workloads: Iterable[Any],
        *,
        in_flight: int = 256,
        return_exceptions: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> AsyncIterator[Any]:
        """Runs a foreground job for each workload and yields the results in the order of the workloads, for `async for`; arguments
        as for `Client.map`."""
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
                under_way.extend(await _loop.run(self._native.submit(batch, False)))
                if len(under_way) < in_flight and not exhausted:
                    continue
            if not under_way:
                return
            for result in await _first_results(under_way):
                if not isinstance(result, LineshaftError):
                    yield None if background else decode(result)
                elif return_exceptions:
                    yield result
                else:
                    raise result

    async def status(self, job: Union[Name, AsyncTask]) -> JobStatus:
        """How a job stands, by its handle or task: see `Client.status`."""
        handle = job.handle if isinstance(job, AsyncTask) else job
        return JobStatus(*await _loop.run(self._native.status(to_bytes(handle))))

    async def status_by_unique(self, unique: Name) -> JobStatus:
        """How the job with this unique stands, whatever its function."""
        return JobStatus(*await _loop.run(self._native.status_by_unique(to_bytes(unique))))

    async def echo(self, data: bytes = b"lineshaft") -> None:
        """Sends bytes to the server and compares what comes back: see `Client.echo`."""
        await _loop.run(self._native.echo(data))

    def close(self) -> None:
        """Ends the connection, when the last of its tasks is dropped too; further requests raise `SHUTDOWN`."""
        self._closed = True
        self._made = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


async def _first_results(under_way: deque[Any]) -> list[Any]:
    if isinstance(under_way[0], LineshaftError):
        return [under_way.popleft()]
    tasks: list[Any] = []
    for task in under_way:
        if isinstance(task, LineshaftError) or len(tasks) == BATCH:
            break
        tasks.append(task)
    results: list[Any] = await _loop.run(_native.ready(tasks))
    for _ in results:
        under_way.popleft()
    return results


class AsyncTask:
    """A submitted job, as its client sees it: await it for its result, or iterate over its events with `async for`.

    Dropping it does not cancel the job.
    """

    def __init__(self, client: AsyncClient, native: Any, background: bool) -> None:
        self._client = client
        self._background = background
        self._outcome: Optional[tuple[bytes, Optional[LineshaftError]]] = None
        self._fetching: Optional[asyncio.Future[Any]] = None
        if isinstance(native, LineshaftError):
            self._outcome = (b"", native)
        else:
            self._native: _native.Task = native

    @property
    def handle(self) -> str:
        """The server's name for the job; empty where it was refused (str)."""
        return to_text(self._native.handle()) if hasattr(self, "_native") else ""

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for the end of the job and returns its result; the same as awaiting the task. It can be awaited again, and by
        several at once. Result and errors as for `Task.result`.

        Args:
            timeout: seconds to wait now; `None`: without limit. After a `Timeout` the result can still be awaited.
        """
        if self._outcome is None:
            if timeout is None:
                await self._fetch()
            else:
                try:
                    await asyncio.wait_for(self._fetch(), timeout)
                except asyncio.TimeoutError:
                    raise Timeout("TIMEOUT", "wait", "nothing yet; what was asked for may still happen") from None
        assert self._outcome is not None  # _fetch has set it, or raised
        data, error = self._outcome
        if error is not None:
            raise error
        return None if self._background else self._client._codec.decode(data)

    async def _fetch(self) -> None:
        if self._fetching is None:
            op = self._native.result()
            try:
                done = op.poll()
            except LineshaftError as error:
                self._outcome = (b"", error)
                return
            if done is not None:
                self._outcome = (done[0], None)
                return
            # Nobody's cancellation reaches this future: others may wait for it as well, or will.
            self._fetching = _loop.current().start(op)[1]
            self._fetching.add_done_callback(self._fetched)
        await asyncio.wait((self._fetching,))
        self._fetched(self._fetching)

    def _fetched(self, future: asyncio.Future[Any]) -> None:
        if self._outcome is not None or future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._outcome = (future.result(), None)
        elif isinstance(error, LineshaftError):
            self._outcome = (b"", error)
        else:
            raise error

    def done(self) -> bool:
        """True when nothing more will come from the server."""
        return self._outcome is not None or self._native.is_over()

    async def status(self) -> JobStatus:
        """How the job stands, asked of the server: see `Client.status`."""
        return await self._client.status(self)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events as they come; ends behind the last one. Raises as `Task.__iter__`."""
        while self._outcome is None:
            event = await _loop.run(self._native.event())
            if event is None:
                return
            yield Event(*event)

    def __repr__(self) -> str:
        return f"<lineshaft.AsyncTask {self.handle!r}>"
