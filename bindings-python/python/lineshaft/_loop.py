"""From operations of the I/O thread to an asyncio event loop."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from . import _native


class Loop:
    """The bridge of one event loop. What has ended is told in batches: the I/O thread makes one descriptor readable, which the
    loop watches; it never waits for the interpreter, as `call_soon_threadsafe` would have it do."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._native = _native.Bridge()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        loop.add_reader(self._native.fileno(), self._take)

    def _take(self) -> None:
        for token, value, error in self._native.take():
            future = self._waiting.pop(token, None)
            if future is None or future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def start(self, op: _native.Op) -> tuple[int, asyncio.Future[Any]]:
        future = asyncio.get_running_loop().create_future()
        token = self._native.start(op)
        self._waiting[token] = future
        return token, future

    async def run(self, op: _native.Op) -> Any:
        """The outcome of an operation; cancelling gives it up."""
        done = op.poll()
        if done is not None:
            return done[0]
        token, future = self.start(op)
        try:
            return await future
        except asyncio.CancelledError:
            self._waiting.pop(token, None)
            self._native.cancel(token)
            raise


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Loop] = weakref.WeakKeyDictionary()


def current() -> Loop:
    """The bridge of the running event loop."""
    loop = asyncio.get_running_loop()
    bridge = _loops.get(loop)
    if bridge is None:
        bridge = _loops[loop] = Loop(loop)
    return bridge


async def run(op: _native.Op) -> Any:
    return await current().run(op)
