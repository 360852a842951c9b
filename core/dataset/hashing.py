"""The one hash of the data room: BLAKE2b, imported at its first use because OpenSSL comes with it (10 to 20 ms)."""

from __future__ import annotations

from functools import cache
from typing import Any


def blake(data: bytes, size: int) -> bytes:
    """The BLAKE2b hash of bytes.

    Args:
        data: what is hashed.
        size: bytes of the hash.
    """
    made: bytes = _blake2b()(data, digest_size=size).digest()
    return made


@cache
def _blake2b() -> Any:
    from hashlib import blake2b

    return blake2b
