"""Bytes by offset, whatever they are packed in: plain files, gzip, or text that had to be transcoded."""

from __future__ import annotations

import os
import threading
import zlib
from pathlib import Path
from typing import Any, Protocol

from core.errors import BadInput

_BLOCK = 2 * 2**20
_FEED = 2**16
_BOMB_RATIO = 500
_BOMB_BYTES = 64 * 2**20
_TRANSCODE_MAX = 256 * 2**20


class ByteStream(Protocol):
    """Random access to the text bytes of one file; safe to read from several threads."""

    fault: str
    """Why the stream ends before its end (a torn gzip file), or ""."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""

    def ready(self, offset: int, length: int) -> bool:
        """Whether these bytes are read at once, with nothing to unpack before; takes no lock."""

    def release(self) -> None:
        """Gives back the file descriptor; the next read opens it again."""


class PlainBytes:
    """A file read with pread: no seek position to share, no map that a truncated file could break."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""
        self._fd = -1
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end of the file."""
        with self._lock:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            data = os.pread(self._fd, length, offset)
            if len(data) == length or not data:
                return data
            parts = [data]
            got = len(data)
            while got < length and (data := os.pread(self._fd, length - got, offset + got)):
                parts.append(data)
                got += len(data)
        return b"".join(parts)

    def ready(self, offset: int, length: int) -> bool:
        """Always: the bytes lie in the file as they are."""
        return True

    def release(self) -> None:
        """Closes the descriptor until the next read."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class MemoryBytes:
    """Text in another encoding, transcoded to UTF-8 as a whole."""

    def __init__(self, data: bytes) -> None:
        self.fault = ""
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return self._data[offset : offset + length]

    def ready(self, offset: int, length: int) -> bool:
        """Always: the text is in memory."""
        return True

    def release(self) -> None:
        """Nothing is held open."""


class GzipBytes:
    """Random access into gzip without unpacking it to disk.

    Every 2 MiB of text the state of the decompressor is copied (about 45 kB each), so any place is at most one block
    of work away. The blocks read last are kept.
    """

    def __init__(self, path: Path) -> None:
        self.fault = ""
        self._file = PlainBytes(path)
        self._path = path
        self._lock = threading.Lock()
        # A mark: offset in the text, offset in the file, decompressor as it stood there.
        self._marks: list[tuple[int, int, Any]] = [(0, 0, zlib.decompressobj(31))]
        self._complete = False
        self._blocks: dict[int, bytes] = {}
        self._recent = (0, b"")  # offset and text of the block read last; replaced whole, so read without the lock

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of text from `offset`; unpacks as far as that needs."""
        start, block = self._recent
        if start <= offset and offset + length <= start + len(block):
            return block[offset - start : offset - start + length]
        with self._lock:
            while not self._complete and self._marks[-1][0] < offset + length:
                self._advance()
            parts = []
            index = self._find(offset)
            while length > 0 and index < len(self._marks) - 1:
                block = self._block(index)
                start = offset - self._marks[index][0]
                part = block[start : start + length]
                parts.append(part)
                offset += len(part)
                length -= len(part)
                index += 1
        return b"".join(parts)

    def ready(self, offset: int, length: int) -> bool:
        """Whether they are in the block that was read last."""
        start, block = self._recent
        return start <= offset and offset + length <= start + len(block)

    def release(self) -> None:
        """Closes the file until the next read."""
        self._file.release()

    def _find(self, offset: int) -> int:
        low, high = 0, len(self._marks)
        while low < high - 1:
            middle = (low + high) // 2
            if self._marks[middle][0] <= offset:
                low = middle
            else:
                high = middle
        return low

    def _block(self, index: int) -> bytes:
        block = self._blocks.pop(index, None)
        if block is None:
            _, position, state = self._marks[index]
            block, _, _, _ = self._unpack(position, state.copy())
        self._keep(index, block)
        return block

    def _keep(self, index: int, block: bytes) -> None:
        self._recent = (self._marks[index][0], block)
        self._blocks[index] = block
        while len(self._blocks) > 3:
            del self._blocks[next(iter(self._blocks))]

    def _advance(self) -> None:
        """Unpacks the next block of text and notes the state after it."""
        start, position, state = self._marks[-1]
        block, position, state, ended = self._unpack(position, state.copy())
        if block:
            self._keep(len(self._marks) - 1, block)
            end = start + len(block)
            self._marks.append((end, position, state))
            if end > _BOMB_BYTES and end > _BOMB_RATIO * position:
                self.fault = (
                    f"unpacks to more than {_BOMB_RATIO} times its size (a decompression bomb); reading stopped"
                )
                ended = True
        self._complete = ended

    def _unpack(self, position: int, state: Any) -> tuple[bytes, int, Any, bool]:
        """One block of text from a state: the block; place in the file and state after it; whether it ends."""
        parts: list[bytes] = []
        missing = _BLOCK
        while missing > 0:
            if state.eof:
                position, state = self._next_member(position)
                if state is None:
                    return b"".join(parts), position, zlib.decompressobj(31), True
            packed = self._file.read(position, _FEED)
            if not packed:
                self.fault = self.fault or "the gzip file is truncated"
                return b"".join(parts), position, state, True
            try:
                part = state.decompress(packed, missing)
            except zlib.error:
                self.fault = self.fault or f"the gzip file is damaged near byte {position:,}"
                return b"".join(parts), position, zlib.decompressobj(31), True
            position += len(packed) - len(state.unconsumed_tail) - len(state.unused_data)
            parts.append(part)
            missing -= len(part)
        return b"".join(parts), position, state, False

    def _next_member(self, position: int) -> tuple[int, Any]:
        """The decompressor of the next gzip member, or None at the file's end (zero padding counts as end)."""
        head = self._file.read(position, 2)
        if head[:1] in (b"", b"\0"):
            return position, None
        return position, zlib.decompressobj(31)


def transcoded(path: Path, encoding: str, stream: ByteStream) -> MemoryBytes:
    """The whole text of a stream as UTF-8 without a BOM.

    Lines that are UTF-8 in a file of another encoding of one byte a character stay as they are: files that were put
    together from both have such lines, and in other text they hardly occur.

    Args:
        path: the file.
        encoding: the name of a text encoding.
        stream: its bytes.

    Raises:
        BadInput: there is no such encoding; more than 256 MiB: such a file is better converted once.
    """
    kind = _kind(encoding)
    data = stream.read(0, _TRANSCODE_MAX + 1)
    if len(data) > _TRANSCODE_MAX:
        raise BadInput(
            f"{encoding} text over {_TRANSCODE_MAX >> 20} MiB must be converted first",
            where=str(path),
            do=f"Convert it: iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}",
        )
    if kind == "wide":
        return MemoryBytes(data.decode(encoding, "replace").encode("utf-8", "replace"))
    tries = ("utf-8", encoding) if kind == "single" else (encoding, "utf-8")
    return MemoryBytes(b"\n".join(_recoded(line, tries, encoding) for line in data.split(b"\n")))


def _kind(encoding: str) -> str:
    """How an encoding writes characters: in one byte (`single`), in several, or so that a line end is no byte (`wide`).

    Raises:
        BadInput: there is no such encoding of text.
    """
    try:
        if "\n".encode(encoding) != b"\n":
            return "wide"
        return "single" if len(bytes(range(128, 256)).decode(encoding, "replace")) == 128 else "several"
    except (LookupError, TypeError, ValueError):
        do = "Use one such as cp1252, latin-1, cp1251, gbk or shift_jis"
        raise BadInput(f"unknown encoding {encoding[:40]!r}", where="encoding", do=do) from None


def _recoded(line: bytes, tries: tuple[str, str], otherwise: str) -> bytes:
    if line.isascii():
        return line
    for encoding in tries:
        try:
            return line.decode(encoding).encode("utf-8")
        except UnicodeError:
            continue
    return line.decode(otherwise, "replace").encode("utf-8", "replace")
