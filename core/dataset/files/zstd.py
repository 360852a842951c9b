"""Random access into zstd: unpacked once, as far as it is read, into a file without a name."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from core.errors import BadInput

_FEED = 2**11  # a bomb makes at most 64 MiB of it at once
_BOMB_RATIO = 2_000
_BOMB_BYTES = 64 * 2**20
_WINDOW = 2**27


class ZstdBytes:
    """The text of a zstd file by offset.

    A zstd decompressor cannot be copied as gzip's can, so the text goes to a temporary file (in `TMPDIR`, else
    `/var/tmp`) that has no name and is gone with the process.

    Raises:
        BadInput: the package zstandard is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import zstandard
        except ImportError:
            raise BadInput(
                "reading zstd requires zstandard",
                where=str(path),
                do=f"Install it: pip install zstandard; or decompress the file: zstd -d {path.name}",
            ) from None
        self.fault = ""
        self._error = zstandard.ZstdError
        self._packed = path.open("rb")
        self._frames = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._frame: Any = None
        folder = os.environ.get("TMPDIR") or "/var/tmp"
        place = folder if os.access(folder, os.W_OK) else None
        self._text = tempfile.TemporaryFile(dir=place)  # noqa: SIM115 -- open for as long as the dataset is
        self._unpacked = 0
        self._complete = False
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of text from `offset`; unpacks as far as that needs."""
        with self._lock:
            while not self._complete and self._unpacked < offset + length:
                self._advance()
        return os.pread(self._text.fileno(), length, offset)

    def ready(self, offset: int, length: int) -> bool:
        """Whether the text is unpacked so far."""
        return self._complete or self._unpacked >= offset + length

    def release(self) -> None:
        """Both files stay open: one has no name to open it by."""

    def _advance(self) -> None:
        try:
            packed = self._packed.read(_FEED)
            piece = self._unpack(packed)
            self._text.write(piece)
            self._text.flush()
        except self._error as fault:
            self._end(f"the zstd file is damaged near byte {self._packed.tell():,}: {fault}")
            return
        except OSError as fault:
            self._end(f"cannot be decompressed: {fault.strerror or fault}")
            return
        if not packed:
            self._end("the zstd file is truncated" if self._frame is not None else "")
            return
        self._unpacked += len(piece)
        if self._unpacked > _BOMB_BYTES and self._unpacked > _BOMB_RATIO * self._packed.tell():
            self._end(f"unpacks to more than {_BOMB_RATIO:,} times its size (a decompression bomb); reading stopped")

    def _unpack(self, packed: bytes) -> bytes:
        """The text of some packed bytes, over the ends of frames."""
        parts = []
        while packed:
            if self._frame is None:
                self._frame = self._frames.decompressobj()
            parts.append(self._frame.decompress(packed))
            packed = b""
            if self._frame.eof:
                packed, self._frame = self._frame.unused_data, None
        return b"".join(parts)

    def _end(self, fault: str) -> None:
        self.fault = fault
        self._complete = True
