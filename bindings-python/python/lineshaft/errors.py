"""What can go wrong. Every error is a `LineshaftError` whose `code` is libgearman's stable name for it."""

from __future__ import annotations

from . import _native

#: Every kind of error: code -> (libgearman's number, one sentence, whether the same request may succeed when made again).
KINDS: dict[str, tuple[int, str, bool]] = {
    code: (number, text, retryable) for code, number, text, retryable in _native.ERROR_KINDS
}


class LineshaftError(Exception):
    """The error of every call of this package.

    Attributes:
        code: libgearman's name for the kind, without `GEARMAN_` in front: `"TIMEOUT"`, `"LOST_CONNECTION"`, ... (str).
        number: libgearman's number for it (int).
        operation: in what it went wrong, a word or two: `"submit"`, `"connect"` (str).
        detail: with what it went wrong, and what to do; may be empty (str).
        data: the worker's exception, as it was sent, where `code` is `"WORK_EXCEPTION"`; else empty (bytes).
        retryable: whether the same request may succeed when it is made again, perhaps at another server (bool).
    """

    def __init__(
        self, code: str, operation: str = "", detail: str = "", message: str = "", data: bytes = b""
    ) -> None:
        super().__init__(code, operation, detail, message, data)
        self.code = code
        self.number, described, self.retryable = KINDS.get(code, (18, "", False))
        self.operation = operation
        self.detail = detail
        self.data = data
        self._message = message or ": ".join(part for part in (operation, code, detail or described) if part)

    def __str__(self) -> str:
        return self._message


class Timeout(LineshaftError, TimeoutError):
    """The deadline passed; the job may still run. It is a `TimeoutError` as well."""


class ConnectionFailed(LineshaftError, ConnectionError):
    """No server could be reached, or the connection was lost; the job may have run. It is a `ConnectionError` as well."""


class InvalidArgument(LineshaftError, ValueError):
    """An argument that cannot be sent: a name, a unique, a workload above its limit, an address. It is a `ValueError` as well."""


class JobFailed(LineshaftError):
    """The worker reported that the job failed. Raise it in a worker's function to end the job with WORK_FAIL."""

    def __init__(
        self, code: str = "WORK_FAIL", operation: str = "task", detail: str = "", message: str = "", data: bytes = b""
    ) -> None:
        super().__init__(code, operation, detail, message, data)


class JobException(JobFailed):
    """The worker ended the job with an exception: `text` is the exception's text, `data` the same as bytes."""

    @property
    def text(self) -> str:
        """The exception as text; bytes that are no UTF-8 are replaced (str)."""
        return self.data.decode("utf-8", "replace")

    def __str__(self) -> str:
        return self.text or self._message


_CLASSES: dict[str, type[LineshaftError]] = {
    "TIMEOUT": Timeout,
    "LOST_CONNECTION": ConnectionFailed,
    "NOT_CONNECTED": ConnectionFailed,
    "COULD_NOT_CONNECT": ConnectionFailed,
    "GETADDRINFO": ConnectionFailed,
    "INVALID_ARGUMENT": InvalidArgument,
    "INVALID_FUNCTION_NAME": InvalidArgument,
    "ARGUMENT_TOO_LARGE": InvalidArgument,
    "DATA_TOO_LARGE": InvalidArgument,
    "WORK_FAIL": JobFailed,
    "WORK_EXCEPTION": JobException,
}


def _make(code: str, operation: str, detail: str, message: str, data: bytes) -> LineshaftError:
    """The native half's way to an exception."""
    return _CLASSES.get(code, LineshaftError)(code, operation, detail, message, data)
