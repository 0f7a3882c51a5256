"""The asyncio worker."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from types import TracebackType
from typing import Any, Optional

from . import _loop, _native
from .submission import to_text
from .worker import GRACE, Job, JobBase, WorkerOptions, log


class AsyncJob(JobBase):
    """A job of an `AsyncWorker`, as a coroutine sees it; a plain function, which runs on a thread, gets a `Job`."""

    async def send_data(self, data: bytes) -> None:
        """Sends a piece of the result, ahead of what the function returns. Raises as `Job.send_data`."""
        await _loop.run(self._native.send_data(data))

    async def send_warning(self, data: bytes) -> None:
        """Sends something that people should know."""
        await _loop.run(self._native.send_warning(data))

    async def send_status(self, numerator: int, denominator: int) -> None:
        """Says how far the job has come, in units of the function's own choice."""
        await _loop.run(self._native.send_status(numerator, denominator))

    @property
    def cancelled(self) -> bool:
        """True when what comes of the job is dropped: see `Job.cancelled` (bool)."""
        done = self._native.cancelled().poll()
        return bool(done and done[0])


class AsyncWorker(WorkerOptions):
    """A worker for asyncio, with the options of `Worker`: `concurrency` jobs at once, each in a task of the event loop. Plain
    functions are run on threads of the loop's default executor.

    `await worker.run()` works until it is stopped or cancelled; `async with worker:` works in the background.

    >>> async def main():
    ...     with Server() as server:
    ...         worker = AsyncWorker(server, concurrency=100)
    ...         @worker.function("reverse")
    ...         async def reverse(job):
    ...             return job.workload[::-1]
    ...         async with worker, AsyncClient(server) as client:
    ...             return await (await client.submit("reverse", b"abc"))
    >>> import asyncio
    >>> asyncio.run(main())
    b'cba'
    """

    _native: Any
    _asynchronous = True

    async def run(self, *, grace: Optional[float] = GRACE) -> None:
        """Works until `stop()`. On the main thread SIGTERM stops it in good order, with `grace`. Being cancelled (Ctrl-C cancels
        what `asyncio.run` runs) stops it at once: the coroutines of its jobs are cancelled, the jobs go to other workers.

        Raises:
            LineshaftError: `NO_REGISTERED_FUNCTIONS`.
        """
        native = self._begin()
        loop = asyncio.get_running_loop()
        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            loop.add_signal_handler(signal.SIGTERM, native.stop, grace)
        try:
            await self._serve(native)
        finally:
            if on_main:
                loop.remove_signal_handler(signal.SIGTERM)

    def stop(self, grace: Optional[float] = GRACE) -> None:
        """Stops: no new jobs, what runs is finished; then `run()` returns. What still runs after `grace` seconds (`None`: any time)
        is cancelled and given back to the servers."""
        if self._made is not None:
            self._made.stop(grace)

    async def __aenter__(self) -> AsyncWorker:
        self._background = asyncio.ensure_future(self._serve(self._begin()))
        return self

    async def __aexit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None and issubclass(kind, (KeyboardInterrupt, asyncio.CancelledError)):
            self._background.cancel()
            await asyncio.wait((self._background,))
        else:
            self.stop()
            await self._background

    def _begin(self) -> Any:
        if self._running:
            raise RuntimeError("the worker runs already")
        native = self._made = self._make()
        native.start()
        self._running = True
        return native

    async def _serve(self, native: Any) -> None:
        jobs: set[asyncio.Task[None]] = set()
        on = True
        try:
            while on:
                came, troubles, on = await _loop.run(native.next_jobs(self.concurrency))
                self._told(troubles)
                for job in came:
                    task = asyncio.ensure_future(self._do(job))
                    jobs.add(task)
                    task.add_done_callback(jobs.discard)
        finally:
            native.abort()
            for task in jobs:
                task.cancel()
            if jobs:
                await asyncio.wait(jobs)
            self._running = False
            self._made = None

    async def _do(self, job: _native.Job) -> None:
        function = self._functions.get(job.function())
        if function is None:
            job.fail()  # it has been removed while the job was on its way
            return
        try:
            if function.is_async:
                result = await function.call(AsyncJob(job, function.codec))
            else:
                call = functools.partial(function.call, Job(job, function.codec))
                result = await asyncio.get_running_loop().run_in_executor(None, call)
        except asyncio.CancelledError:
            log.warning("job %s of %s is broken off", to_text(job.handle()), to_text(job.function()))
            raise
        except Exception as error:
            self._end_badly(job, error)
        else:
            self._end(job, function, result)
