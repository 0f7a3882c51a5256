"""One child of the runner: it imports the worker and runs it until it is told, or has had enough."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import sys
import threading
from typing import Any, Union

from . import _native
from .aio_worker import AsyncWorker
from .submission import to_text
from .worker import Worker

#: A child ends with this when `--max-jobs` or `--max-rss` is reached: its successor need not wait.
ENOUGH = 75
#: A child ends with this when the worker cannot be imported: trying at once again is of no use.
NO_WORKER = 78

log = logging.getLogger("lineshaft.runner")


def load(target: str) -> Union[Worker, AsyncWorker]:
    """The worker that `module:name` names.

    Raises:
        ValueError: there is none; the text says what is wrong.
    """
    module, colon, name = target.partition(":")
    if not colon or not module or not name:
        raise ValueError(f"{target!r} is not of the form module:worker")
    sys.path.insert(0, os.getcwd())
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if callable(found) and not isinstance(found, (Worker, AsyncWorker)):
        found = found()
    if not isinstance(found, (Worker, AsyncWorker)):
        raise ValueError(f"{target!r} is a {type(found).__name__}, neither a lineshaft.Worker nor an AsyncWorker")
    return found


def resident() -> float:
    """The memory that this process holds, in MiB; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def _watch_parent(stop: Any) -> None:
    """The supervisor holds the other end of the standard input, and says nothing: its end is the supervisor's."""
    os.read(0, 1)
    log.warning("the supervisor is gone")
    stop()


def run(arguments: argparse.Namespace) -> int:
    """Runs one child."""
    name = f"worker {arguments.number} [{os.getpid()}]"
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(message)s", stream=sys.stderr)
    try:
        worker = load(arguments.target)
    except (ImportError, AttributeError, ValueError) as error:
        log.error("%s: %s", arguments.target, error)
        return NO_WORKER
    if arguments.concurrency:
        worker.concurrency = arguments.concurrency
    if arguments.servers:
        worker.servers = arguments.servers
    enough: list[str] = []
    done = 0
    lock = threading.Lock()

    def stop() -> None:
        if isinstance(worker, Worker):
            worker.stop(arguments.grace, wait=False)
        else:
            worker.stop(arguments.grace)

    def count(job: _native.Job) -> None:
        nonlocal done
        if arguments.verbose:
            log.info("job %s of %s ends", to_text(job.handle()), to_text(job.function()))
        with lock:
            done += 1
            if enough:
                return
            if arguments.max_jobs and done >= arguments.max_jobs:
                enough.append(f"{done} jobs")
            elif arguments.max_rss and resident() > arguments.max_rss:
                enough.append(f"{resident():.0f} MiB of memory")
            else:
                return
        stop()

    worker._before_end = count
    threading.Thread(target=_watch_parent, args=(stop,), daemon=True, name="lineshaft-parent").start()
    log.info("does %s", ", ".join(worker.functions))
    try:
        if isinstance(worker, Worker):
            worker.run(grace=arguments.grace)
        else:
            asyncio.run(worker.run(grace=arguments.grace))
    except KeyboardInterrupt:
        return 130
    log.info("ends after %d jobs%s", done, f": {enough[0]}" if enough else "")
    return ENOUGH if enough else 0
