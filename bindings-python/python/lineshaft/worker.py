"""The blocking worker, and what it shares with the asyncio one."""

from __future__ import annotations

import atexit
import inspect
import logging
import signal
import threading
import traceback
import weakref
from types import TracebackType
from typing import Any, Callable, NamedTuple, Optional, TypeVar

from . import _native
from .codec import Codec, CodecLike, codec as codec_of
from .errors import JobFailed, LineshaftError
from .server import Forkable, Servers, given as servers_given
from .submission import Name, to_bytes, to_text

log = logging.getLogger("lineshaft")

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds that the end of a `with` block and SIGTERM give to the jobs that run.
GRACE = 30.0


class JobBase:
    """What a job tells, blocking or not."""

    def __init__(self, native: _native.Job, codec: Codec) -> None:
        self._native = native
        self._codec = codec

    @property
    def workload(self) -> Any:
        """What the job is about: bytes, or what the worker's codec makes of them."""
        return self._codec.decode(self._native.workload())

    @property
    def data(self) -> bytes:
        """The workload as it came (bytes)."""
        return self._native.workload()

    @property
    def function(self) -> str:
        """The function that is asked for (str)."""
        return to_text(self._native.function())

    @property
    def unique(self) -> str:
        """The submission's unique; empty where there is none (str)."""
        return to_text(self._native.unique())

    @property
    def handle(self) -> str:
        """The server's name for the job (str)."""
        return to_text(self._native.handle())

    @property
    def reducer(self) -> Optional[str]:
        """The function that a map/reduce job sends its pieces to; `None` in other jobs (str)."""
        reducer = self._native.reducer()
        return None if reducer is None else to_text(reducer)

    def __repr__(self) -> str:
        return f"<lineshaft job {self.handle!r} of {self.function!r}>"


class Job(JobBase):
    """A job of a `Worker`, as the function that does it sees it. What the function returns is the job's result."""

    def send_data(self, data: bytes) -> None:
        """Sends a piece of the result, ahead of what the function returns. Waits where a slow connection has much to carry.

        Raises:
            ConnectionFailed: the connection that the job came on is gone; the server has given the job to somebody else.
        """
        self._native.send_data(data).wait()

    def send_warning(self, data: bytes) -> None:
        """Sends something that people should know. Raises as `send_data`."""
        self._native.send_warning(data).wait()

    def send_status(self, numerator: int, denominator: int) -> None:
        """Says how far the job has come, in units of the function's own choice. Raises as `send_data`."""
        self._native.send_status(numerator, denominator).wait()

    @property
    def cancelled(self) -> bool:
        """True when what comes of the job is dropped: its connection is gone, or the worker has been stopped and its grace has
        passed. Worth a look now and then in long jobs (bool)."""
        return bool(self._native.cancelled().wait())


class Function(NamedTuple):
    call: Callable[[Any], Any]
    timeout: Optional[float]
    codec: Codec
    is_async: bool


class WorkerOptions(Forkable):
    """What the blocking and the asyncio worker share."""

    _asynchronous = False

    def __init__(
        self,
        servers: Servers = None,
        *,
        concurrency: int = 1,
        codec: CodecLike = "raw",
        name: Optional[str] = None,
        tracebacks: bool = False,
        connect_timeout: float = 5.0,
        answer_timeout: float = 30.0,
    ) -> None:
        super().__init__()
        if concurrency < 1:
            raise ValueError("a worker does at least one job at once")
        self.servers = servers
        self.concurrency = concurrency
        self.name = name
        self.tracebacks = tracebacks
        self._codec = codec_of(codec)
        self._timeouts = (connect_timeout, answer_timeout)
        self._functions: dict[bytes, Function] = {}
        self._running = False
        self._begun = 0
        self._workers: list[threading.Thread] = []
        #: Called before the end of each job is told; the runner counts jobs and looks at the memory here.
        self._before_end: Callable[[_native.Job], None] = lambda job: None

    def _make(self) -> _native.Worker:
        if not self._functions:
            raise LineshaftError("NO_REGISTERED_FUNCTIONS", "run", "add a function before the worker runs")
        functions = [(name, function.timeout) for name, function in self._functions.items()]
        return _native.Worker(
            servers_given(self.servers), functions, self.concurrency, self.name, *self._timeouts, self._asynchronous
        )

    def function(
        self, name: Optional[Name] = None, *, timeout: Optional[float] = None, codec: Optional[CodecLike] = None
    ) -> Callable[[F], F]:
        """Makes the decorated function one of the worker's, under `name` or its own.

        Args:
            name: the name that clients submit to, 1 to 512 bytes; default: the function's `__name__`.
            timeout: seconds after which the server gives a job to somebody else; what comes of it here is dropped. `None`: never.
            codec: for this function; default: the worker's.
        """

        def decorate(call: F) -> F:
            self.add_function(call.__name__ if name is None else name, call, timeout=timeout, codec=codec)
            return call

        return decorate

    def add_function(
        self,
        name: Name,
        call: Callable[[Any], Any],
        *,
        timeout: Optional[float] = None,
        codec: Optional[CodecLike] = None,
    ) -> None:
        """Adds a function, or replaces it, also while the worker runs. Arguments as for `function`.

        Raises:
            InvalidArgument: the name is empty, has a NUL in it, or is too long; known when the worker runs.
            TypeError: a `Worker` cannot run coroutines; an `AsyncWorker` can.
        """
        is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))
        if is_async and not self._asynchronous:
            raise TypeError(f"{call!r} is a coroutine function: give it to a lineshaft.AsyncWorker")
        chosen = self._codec if codec is None else codec_of(codec)
        key = to_bytes(name)
        self._functions[key] = Function(call, timeout, chosen, is_async)
        if self._made is not None:
            self._made.add_function(key, timeout)

    def remove_function(self, name: Name) -> bool:
        """Removes a function; the servers give its jobs that run here to somebody else. False where the worker did not have it."""
        key = to_bytes(name)
        if self._made is not None:
            self._made.remove_function(key)
        return self._functions.pop(key, None) is not None

    @property
    def functions(self) -> list[str]:
        """The names of the functions (list of str)."""
        return [to_text(name) for name in self._functions]

    def _end(self, job: _native.Job, function: Function, result: Any) -> None:
        """Tells the result, or the exception that encoding it raises."""
        self._before_end(job)
        try:
            encoded = function.codec.encode(result)
        except Exception as error:
            self._exception(job, error)
        else:
            job.complete(encoded)

    def _end_badly(self, job: _native.Job, error: Exception) -> None:
        self._before_end(job)
        if isinstance(error, JobFailed) and error.code == "WORK_FAIL":
            job.fail()
        else:
            self._exception(job, error)

    def _exception(self, job: _native.Job, error: Exception) -> None:
        log.exception("job %s of %s raised", to_text(job.handle()), to_text(job.function()), exc_info=error)
        if self.tracebacks:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        else:
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
        job.exception(text.encode("utf-8", "replace"))

    def _told(self, troubles: list[str]) -> None:
        for trouble in troubles:
            log.warning("%s", trouble)


class Worker(WorkerOptions):
    """A worker: it does jobs, with its functions, for all its servers.

    `run()` works on the caller's thread until it is stopped; `with worker:` and `start()` work in the background. With a
    `concurrency` above 1 threads do jobs at once, on one connection per server. A server that cannot be reached is tried again
    with growing pauses (0.1 s to 30 s), and logged to the logger `lineshaft`.

    What a function returns is the result. An exception becomes the job's exception (WORK_EXCEPTION) with its text; raise
    `JobFailed()` to fail without one.

    >>> with Server() as server:
    ...     worker = Worker(server)
    ...     @worker.function("reverse")
    ...     def reverse(job):
    ...         return job.workload[::-1]
    ...     with worker, Client(server) as client:
    ...         client.submit("reverse", b"abc").result(timeout=10)
    b'cba'

    Args:
        servers: as for `Client`; a worker serves all of them at once.
        concurrency: jobs at once.
        codec: what makes objects of workloads and bytes of results, as for `Client`.
        name: the name that the admin command `workers` shows; `None`: `-`.
        tracebacks: whether an exception is sent with its traceback.
        connect_timeout: seconds for one attempt to reach one address.
        answer_timeout: seconds that a server may be silent while it owes an answer before its connection is given up.
    """

    _native: Any

    def run(self, *, grace: Optional[float] = GRACE) -> None:
        """Works until `stop()`, on this thread. On the main thread SIGTERM stops it in good order, with `grace`, and Ctrl-C at
        once, in the middle of a job too: that job goes to another worker.

        Raises:
            LineshaftError: `NO_REGISTERED_FUNCTIONS`.
            KeyboardInterrupt: Ctrl-C.
        """
        native = self._begin()
        before: Any = None
        on_main = threading.current_thread() is threading.main_thread()
        if on_main:
            before = signal.signal(signal.SIGTERM, lambda *_: native.stop(grace))
        others = self._threads(native, self.concurrency - 1)
        try:
            self._serve(native)
            self._join(others)
        except BaseException:
            native.abort()
            raise
        finally:
            if on_main:
                signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
            self._over(native)

    def start(self) -> None:
        """Works in the background from now on, until `stop()`. Does nothing when it runs already.

        Raises:
            LineshaftError: `NO_REGISTERED_FUNCTIONS`.
        """
        if not self._running:
            native = self._begin()
            self._workers = self._threads(native, self.concurrency)

    def stop(self, grace: Optional[float] = GRACE, *, wait: bool = True) -> None:
        """Stops: no new jobs, what runs is finished. What still runs after `grace` seconds (`None`: any time) is given back to the
        servers; its function is not interrupted, but what comes of it is dropped, and `job.cancelled` says so.

        Args:
            wait: wait until it has stopped. A function of the worker must say `False`.
        """
        native = self._made
        if native is None:
            return
        native.stop(grace)
        if wait:
            native.finished().wait()
            self._join(self._workers)
            self._over(native)

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt) and self._made is not None:
            self._made.abort()
        self.stop()

    def _begin(self) -> Any:
        if self._running:
            raise RuntimeError("the worker runs already")
        native = self._made = self._make()
        native.start()
        self._running = True
        _live.add(self)
        return native

    def _over(self, native: Any) -> None:
        self._running = False
        _live.discard(self)
        if self._made is native:
            self._made = None

    def _threads(self, native: Any, count: int) -> list[threading.Thread]:
        self._begun += 1
        threads = []
        for number in range(count):
            name = f"lineshaft-worker-{self._begun}-{number}"
            threads.append(threading.Thread(target=self._serve_thread, args=(native,), name=name, daemon=True))
        for thread in threads:
            thread.start()
        return threads

    def _join(self, threads: list[threading.Thread]) -> None:
        """Those that have no function to finish end at once; a function that outlives its grace is left to itself."""
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(1.0)

    def _serve_thread(self, native: Any) -> None:
        try:
            self._serve(native)
        except BaseException:
            native.abort()
            log.exception("a thread of the worker ends")

    def _serve(self, native: Any) -> None:
        on = True
        while on:
            jobs, troubles, on = native.next_jobs(1).wait()
            self._told(troubles)
            for job in jobs:
                self._do(job)

    def _do(self, job: _native.Job) -> None:
        function = self._functions.get(job.function())
        if function is None:
            job.fail()  # it has been removed while the job was on its way
            return
        try:
            result = function.call(Job(job, function.codec))
        except Exception as error:
            self._end_badly(job, error)
        else:
            self._end(job, function, result)


_live: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Threads must not wait in the native half when the interpreter goes away."""
    for worker in list(_live):
        if worker._made is not None:
            worker._made.abort()
            worker._join(worker._workers)
