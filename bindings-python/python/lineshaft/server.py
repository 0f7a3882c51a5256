"""The broker in this process."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import Any, Iterable, Optional, Union

from . import _native


class Server:
    """A Gearman server in this process: a real broker, which any Gearman client or worker can use.

    It runs from the moment it is made until `stop`, the end of its `with` block, or the end of the process. Clients and
    workers of this process that are given the object itself need no socket. Jobs are kept in memory unless `store` says otherwise.

    Args:
        listen: an address or a list of them: `host:port`, `[::1]:4730`, `unix:/path`. Port 0, as in the default
            `127.0.0.1:0`, takes any free one. `None`: no socket at all, for this process only.
        threads: I/O threads; 0 means one a processor.
        compat: in which order jobs of several functions are handed out: as gearmand `"2.0"` or `"1.1"`.
        exceptions: every connection starts with the option `exceptions` set.
        job_retries: how often a job may be started before it fails. `None`: without limit.
        handle_prefix: what handles begin with. `None`: `H:lineshaft`.
        max_queue_bytes: bytes that all jobs may hold together. `None`: 4 GiB.
        store: where background jobs are kept, so that they survive the end of the process, `kill -9` included:
            `log:FOLDER`, a log in a folder of its own. A background job is acknowledged when it is durable. `None`:
            in memory, all jobs end with the server.

    Raises:
        InvalidArgument: no such address or setting.
        LineshaftError: `ERRNO`, the address cannot be bound; `QUEUE_ERROR`, the store cannot be used.
    """

    def __init__(
        self,
        listen: Union[str, Iterable[str], None] = "127.0.0.1:0",
        *,
        threads: int = 1,
        compat: str = "2.0",
        exceptions: bool = False,
        job_retries: Optional[int] = None,
        handle_prefix: Optional[str] = None,
        max_queue_bytes: Optional[int] = None,
        store: Optional[str] = None,
    ) -> None:
        if compat not in ("2.0", "1.1"):
            raise ValueError(f"compat is '2.0' or '1.1', not {compat!r}")
        addresses = [] if listen is None else [listen] if isinstance(listen, str) else list(listen)
        self._process = os.getpid()
        self._native = _native.Server(
            addresses,
            threads,
            compat,
            exceptions,
            job_retries,
            handle_prefix,
            max_queue_bytes,
            store,
            self._process,
        )
        self._addresses = self._native.addresses()

    @property
    def addresses(self) -> list[str]:
        """Where it listens, ports filled in (list of str)."""
        return list(self._addresses)

    @property
    def address(self) -> str:
        """The first address: `127.0.0.1:40123`.

        Raises:
            ValueError: it has no sockets.
        """
        if not self._addresses:
            raise ValueError("this server listens on no socket; give it an address, such as listen='127.0.0.1:0'")
        return self._addresses[0]

    @property
    def host(self) -> str:
        """The host of `address`, without brackets (str)."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of `address` (int)."""
        return int(self.address.rpartition(":")[2])

    @property
    def jobs(self) -> int:
        """How many jobs there are: queued, running, and not yet due."""
        return self._native.counts()[0]

    @property
    def connections(self) -> int:
        """How many connections there are, those without a socket included."""
        return self._native.counts()[1]

    def stop(self, grace: Optional[float] = 0.0) -> bool:
        """Ends it. With a `grace` in seconds, or `None` for any time, the jobs that run may end first, while new ones are refused.

        Returns:
            True where nothing was running any more; also when it had been stopped before.
        """
        return self._native.stop(grace)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<lineshaft.Server {', '.join(self._addresses) or 'without sockets'}>"

    def _given(self) -> list[Any]:
        # A forked child reaches its parent's server as any other process does.
        return [self._native] if self._process == os.getpid() else self.addresses


#: What servers can be given as: an address, a `Server`, a list of those, or nothing: 127.0.0.1:4730.
Servers = Union[str, Server, "Iterable[Union[str, Server]]", None]


def given(servers: Servers) -> list[Any]:
    """As the native half takes it."""
    if servers is None:
        return []
    if isinstance(servers, str):
        return [servers]
    if isinstance(servers, Server):
        return servers._given()
    return [part for each in servers for part in given(each)]


class Forkable:
    """An object whose native half is made when it is needed, anew in a forked child: the parent's is never touched there."""

    def __init__(self) -> None:
        self._made: Any = None
        _forkable.add(self)

    def _make(self) -> Any:
        raise NotImplementedError

    @property
    def _native(self) -> Any:
        made = self._made
        if made is None:
            made = self._made = self._make()
        return made


_forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()


def _forked() -> None:
    for each in _forkable:
        each._made = None


os.register_at_fork(after_in_child=_forked)
