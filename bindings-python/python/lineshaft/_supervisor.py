"""The parent of the runner's children: starts them, starts them anew, and passes signals on."""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import subprocess
import sys
import time
from typing import Optional

from ._child import ENOUGH

#: The pause before a child that has died is started anew, in seconds: doubled with each death in a row, up to the second number.
BACKOFF = (0.2, 30.0)
#: A child that has lived so long, in seconds, has not died in a row.
SETTLED = 10.0
#: How often `--reload` looks at the files, in seconds.
LOOK = 0.5
#: Seconds beyond `--grace` after which a child is killed.
PATIENCE = 5.0

log = logging.getLogger("lineshaft.runner")


class Child:
    """One place among the processes, and who has it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.since = 0.0
        self.start_at = 0.0
        self.deaths = 0
        self.kill_at: Optional[float] = None


class Supervisor:
    """Everything happens in `run`, which sleeps until a signal, a death or the next thing that is due."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._children = [Child(number) for number in range(1, arguments.processes + 1)]
        self._signals: list[int] = []
        self._stopping = False
        self._to_reload: list[Child] = []
        self._seen: dict[str, float] = {}
        self._look_at = 0.0

    def run(self) -> int:
        """Runs until SIGTERM or Ctrl-C, and until the children have ended then."""
        logging.basicConfig(
            level=logging.INFO, format=f"%(asctime)s runner [{os.getpid()}] %(levelname)s %(message)s", stream=sys.stderr
        )
        wakeup, told = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda which, _: self._signals.append(which))
        if self._arguments.reload:
            self._seen = _files()
        while True:
            self._heed_signals()
            pause = self._turn(time.monotonic())
            if self._stopping and not any(child.process for child in self._children):
                log.info("all children have ended")
                return 0
            _sleep(wakeup, pause)

    def _heed_signals(self) -> None:
        signals, self._signals = self._signals, []
        for which in signals:
            if which == signal.SIGHUP:
                log.info("SIGHUP: starting all children anew")
                self._to_reload = [child for child in self._children if child.process]
            elif which in (signal.SIGTERM, signal.SIGINT):
                log.info("%s: ending", signal.Signals(which).name)
                self._stopping = True
                self._to_reload = []
                for child in self._children:
                    self._end(child, which)

    def _turn(self, now: float) -> float:
        """Does what is due; returns the seconds until something else is."""
        pauses = [60.0]
        for child in self._children:
            self._bury(child, now)
            if child.process is None and not self._stopping:
                if child.start_at <= now:
                    self._start(child, now)
                else:
                    pauses.append(child.start_at - now)
            if child.process is not None and child.kill_at is not None:
                if child.kill_at <= now:
                    log.warning("worker %d [%d] is killed: it has not ended in time", child.number, child.process.pid)
                    child.process.kill()
                    child.kill_at = now + PATIENCE
                pauses.append(child.kill_at - now)
        # One at a time, so that the others go on.
        if self._to_reload and not any(child.kill_at for child in self._children):
            self._end(self._to_reload.pop(0), signal.SIGTERM)
        if self._arguments.reload and not self._stopping:
            if self._look_at <= now:
                self._look_at = now + LOOK
                files = _files()
                changed = [name for name in files.keys() | self._seen.keys() if files.get(name) != self._seen.get(name)]
                if changed:
                    self._seen = files
                    log.info("%s has changed: starting all children anew", min(changed))
                    self._to_reload = [child for child in self._children if child.process]
                    return 0.0
            pauses.append(self._look_at - now)
        return max(min(pauses), 0.0)

    def _start(self, child: Child, now: float) -> None:
        words = sys.argv[sys.argv.index("worker") + 1 :]
        command = [sys.executable, "-m", "lineshaft", "_child", "--number", str(child.number), *words]
        # Never written to: a child sees by its end that the supervisor is gone.
        child.process = subprocess.Popen(command, stdin=subprocess.PIPE)
        child.since = now
        child.kill_at = None
        log.info("worker %d [%d] is started", child.number, child.process.pid)

    def _end(self, child: Child, which: int) -> None:
        if child.process is not None:
            child.process.send_signal(which)
            grace = self._arguments.grace if which == signal.SIGTERM else 0.0
            child.kill_at = time.monotonic() + grace + PATIENCE

    def _bury(self, child: Child, now: float) -> None:
        process = child.process
        if process is None or process.poll() is None:
            return
        wanted = child.kill_at is not None or process.returncode == ENOUGH
        if child in self._to_reload:
            self._to_reload.remove(child)
        assert process.stdin is not None  # it was asked for
        process.stdin.close()
        child.process = child.kill_at = None
        if wanted:
            child.deaths = 0
            child.start_at = now
            log.info("worker %d [%d] has ended", child.number, process.pid)
            return
        child.deaths = 1 if now - child.since >= SETTLED else child.deaths + 1
        pause = min(BACKOFF[0] * 2.0 ** (child.deaths - 1), BACKOFF[1])
        child.start_at = now + pause
        how = f"with {process.returncode}" if process.returncode >= 0 else f"by {signal.Signals(-process.returncode).name}"
        again = "" if self._stopping else f"; the next one starts in {pause:.1f} s"
        log.warning("worker %d [%d] has died %s%s", child.number, process.pid, how, again)


def _sleep(wakeup: int, seconds: float) -> None:
    select.select([wakeup], [], [], seconds)
    try:
        os.read(wakeup, 4096)
    except BlockingIOError:
        pass


def _files() -> dict[str, float]:
    """The .py files below the current folder, hidden folders left out, with the time of their last change."""
    found: dict[str, float] = {}
    for folder, folders, files in os.walk("."):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                try:
                    found[path] = os.stat(path).st_mtime_ns
                except OSError:
                    continue  # removed in between
    return found
