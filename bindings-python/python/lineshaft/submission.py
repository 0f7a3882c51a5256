"""What is submitted, and what is heard of it: shared by the blocking and the asyncio client."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Iterable, NamedTuple, Optional, TypedDict, Union

from .codec import Codec

#: Names of functions, uniques and handles: text travels as UTF-8.
Name = Union[str, bytes]

_PRIORITIES = {"high": 0, "normal": 1, "low": 2}


def to_bytes(name: Name) -> bytes:
    return name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name


def to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


class SubmitOptions(TypedDict, total=False):
    """The options of `submit`, `map` and `Submission`; each is explained at `Submission`."""

    unique: Union[str, bytes, bool, None]
    priority: str
    background: bool
    run_at: Union[datetime, float, None]
    delay: Union[timedelta, float, None]
    schedule: Optional[str]
    reducer: Union[str, bytes, None]
    timeout: Optional[float]


class Submission(NamedTuple):
    """A job to be submitted, with all that can be said about it.

    Attributes:
        function: the function's name, 1 to 512 bytes (str or bytes).
        workload: what the job is about: bytes, or what the client's codec encodes.
        unique: submissions of one function with the same unique are one job as long as that job lives, and share its result
            (str or bytes, 1 to 64 bytes). `True`: the workload decides. `None`, the default: each is a job of its own.
        priority: `"high"`, `"normal"` (the default) or `"low"`.
        background: nobody waits for the result; the task is over when the server has the job. Default false.
        run_at: not before this moment; in the background (datetime, naive ones in local time, or a Unix time in seconds).
        delay: not before so much time has passed; in the background (timedelta, or seconds). Rounded up to whole seconds.
        schedule: again and again by a cron line of five fields: minute, hour, day of month, month, day of week, where **0 is
            Monday**; in the background, until it is cancelled through `Admin`. gearmand refuses such jobs (str).
        reducer: the function to which the worker of a map/reduce job submits the pieces (str or bytes).
        timeout: seconds that the task may take from now until its last event, then it ends with `Timeout` while the job may
            run on (float). `None`, the default: the client's `timeout`.
    """

    function: Name
    workload: Any = b""
    unique: Union[str, bytes, bool, None] = None
    priority: str = "normal"
    background: bool = False
    run_at: Union[datetime, float, None] = None
    delay: Union[timedelta, float, None] = None
    schedule: Optional[str] = None
    reducer: Union[str, bytes, None] = None
    timeout: Optional[float] = None

    def _given(self, codec: Codec) -> tuple[Any, ...]:
        """As the native half takes it."""
        return (to_bytes(self.function), codec.encode(self.workload), *self._rest())

    def _rest(self) -> tuple[Any, ...]:
        """All but function and workload. Jobs of one kind differ in their uniques at most."""
        unique: Optional[bytes]
        if self.unique is True:
            unique = b""
        elif self.unique is None or self.unique is False:
            unique = None
        else:
            unique = to_bytes(self.unique)
            if not unique:
                raise ValueError("a unique has 1 to 64 bytes; leave it out, or say unique=True for the workload")
        return (unique, *_how(*self[3:]))


@lru_cache(maxsize=256)
def _how(
    priority: str,
    background: bool,
    run_at: Union[datetime, float, None],
    delay: Union[timedelta, float, None],
    schedule: Optional[str],
    reducer: Union[str, bytes, None],
    timeout: Optional[float],
) -> tuple[Any, ...]:
    if priority not in _PRIORITIES:
        raise ValueError(f"a priority is 'high', 'normal' or 'low', not {priority!r}")
    if sum(when is not None for when in (run_at, delay, schedule)) > 1:
        raise ValueError("run_at, delay and schedule exclude each other")
    when: Union[int, float, str, None] = schedule
    if isinstance(run_at, datetime):
        when = math.ceil(run_at.timestamp())
    elif run_at is not None:
        when = math.ceil(run_at)
    elif delay is not None:
        when = float(delay.total_seconds() if isinstance(delay, timedelta) else delay)
    return (_PRIORITIES[priority], bool(background), when, None if reducer is None else to_bytes(reducer), timeout)


#: What `submit_many` takes for one job: a `Submission`, or function and workload.
SubmissionLike = Union[Submission, "tuple[Name, Any]"]


def given(jobs: Iterable[SubmissionLike], codec: Codec) -> list[tuple[Any, ...]]:
    return [(job if isinstance(job, Submission) else Submission(*job))._given(codec) for job in jobs]


def is_background(given: tuple[Any, ...]) -> bool:
    """Whether nobody hears of the job's result: it is a background job, or it has a time."""
    return bool(given[4]) or given[5] is not None


class Event(NamedTuple):
    """Something that has happened to a task.

    Attributes:
        kind: `"created"` (the server has the job; `data` is its handle), `"data"` (a piece of the result), `"warning"`,
            `"status"`, and as the last one `"complete"` (`data` is the rest of the result), `"fail"` or `"exception"`.
        data: bytes, as the worker sent them; no codec is applied.
        numerator: what is done, in a `"status"` (int).
        denominator: what there is to do, in a `"status"` (int).
    """

    kind: str
    data: bytes = b""
    numerator: int = 0
    denominator: int = 0


class JobStatus(NamedTuple):
    """How a job stands, as its server tells. All false and 0 where the server does not know it: it has ended, or never was.

    Attributes:
        known: the server has the job.
        running: a worker has it.
        numerator, denominator: what the worker last reported; 0 and 0 where it has said nothing.
        clients: how many submissions wait for it; only asking by unique tells, else `None`.
    """

    known: bool
    running: bool
    numerator: int
    denominator: int
    clients: Optional[int]
