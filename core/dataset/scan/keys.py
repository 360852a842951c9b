"""A row's key: the hash of the parsed row before mapping, and its how-manieth occurrence it is.

So a decision stays with its row when the file is reordered, appended to or copied, and when the mapping is corrected;
and one of three identical rows can be dropped.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import orjson

from core.dataset.hashing import blake

DIGEST_BYTES = 16
KEY_BYTES = DIGEST_BYTES + 4
"""Width of a packed key: the digest, then the occurrence as a little-endian 32-bit number."""

_OCCURRENCE = struct.Struct("<I")


def row_digest(value: Mapping[str, Any]) -> bytes:
    """The hash of a parsed row, 16 bytes: equal for equal rows, whatever the order of their keys.

    Args:
        value: the row as parsed, before any mapping.
    """
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, TypeError):
        # Lone surrogates, numbers beyond 64 bits, bytes and decimals of Parquet.
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=repr)
        canonical = text.encode("utf-8", "surrogatepass")
    return blake(canonical, DIGEST_BYTES)


def key_text(digest: bytes, occurrence: int) -> str:
    """The key as decisions and views hold it: `HASH:K`, K from 0."""
    return f"{digest.hex()}:{occurrence}"


def pack(digest: bytes, occurrence: int) -> bytes:
    """The key in `KEY_BYTES` bytes."""
    return digest + _OCCURRENCE.pack(min(occurrence, 0xFFFF_FFFF))


def packed_key(text: str) -> bytes:
    """The key in `KEY_BYTES` bytes, from its text; b"" for a text that is none, such as the key of a pair."""
    digest, _, occurrence = text.partition(":")
    return pack(bytes.fromhex(digest), int(occurrence)) if occurrence.isdecimal() else b""


def unpack(packed: bytes) -> str:
    """The key's text from `KEY_BYTES` bytes."""
    return key_text(packed[:DIGEST_BYTES], _OCCURRENCE.unpack_from(packed, DIGEST_BYTES)[0])


class Occurrences:
    """Counts how often each row was seen, in source order."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def next(self, digest: bytes) -> int:
        """The number of earlier rows with this digest."""
        before = self._seen.get(digest, 0)
        self._seen[digest] = before + 1
        return before
