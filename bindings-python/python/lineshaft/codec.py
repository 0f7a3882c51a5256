"""What makes bytes of objects and objects of bytes."""

from __future__ import annotations

import json
import pickle
from typing import Any, Callable, NamedTuple, Union


class Codec(NamedTuple):
    """A pair of functions. `encode` makes bytes of a workload or a result, `decode` the way back."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if value is None:
        return b""
    raise TypeError(
        f"a workload or result is bytes, not {type(value).__name__}; encode it, or choose a codec such as codec='json'"
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


#: Bytes as they are; `bytearray` and `memoryview` are copied, `None` is empty.
RAW = Codec(_bytes, bytes)
#: JSON in UTF-8.
JSON = Codec(_json, json.loads)
#: Python's own objects. Never decode what strangers send: a pickle can run any code.
PICKLE = Codec(lambda value: pickle.dumps(value, protocol=4), pickle.loads)

#: What a codec can be given as: a name, a `Codec`, or a pair of functions.
CodecLike = Union[str, Codec, "tuple[Callable[[Any], bytes], Callable[[bytes], Any]]"]

_NAMED = {"raw": RAW, "json": JSON, "pickle": PICKLE}


def codec(given: CodecLike) -> Codec:
    """The codec that is meant by `"raw"`, `"json"`, `"pickle"`, a `Codec`, or a pair of functions (encode, decode).

    Raises:
        ValueError: no codec has that name.
    """
    if isinstance(given, Codec):
        return given
    if isinstance(given, str):
        if given not in _NAMED:
            raise ValueError(f"no codec is called {given!r}; there are {', '.join(_NAMED)}, or give a pair of functions")
        return _NAMED[given]
    encode, decode = given
    return Codec(encode, decode)
