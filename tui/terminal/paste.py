"""Bracketed pastes, cut out of what a terminal sends before anybody looks for keys in it.

Textual looks for escape sequences within a paste, too: one that was pasted ended the paste, and the text behind it
became keys.
"""

from __future__ import annotations

from collections.abc import Iterator

START, END = b"\x1b[200~", b"\x1b[201~"

MOST = 2**20
"""Bytes of one paste that are kept; more is swallowed."""

SILENCE = 10.0
"""Seconds without a byte after which a paste that has no end is over: a terminal may have lost the end."""

_SURE = 3
"""Bytes of a start marker that no key begins with; fewer may be the escape key, which must not wait."""


class PasteCutter:
    """Splits the bytes of a terminal, in reads of any size, into keys and pastes.

    The keys come with an empty paste, start and end marker, in the place of each paste, so that whoever parses them
    is not left with half of a marker that has come in two reads.

    Args:
        codec: the terminal's character set.
    """

    def __init__(self, codec: str = "utf-8") -> None:
        self._codec = codec
        self._text: bytearray | None = None
        self._held = b""
        """What may be the beginning of a marker, and was not handed on."""
        self._passed = b""
        """What may be the beginning of a start marker, but was handed on: an escape key must not wait."""
        self._taken_as_key = False
        """Whether `_passed` has become keys meanwhile."""
        self._lost_end = False

    @property
    def pasting(self) -> bool:
        """Whether a paste has begun and not ended."""
        return self._text is not None

    def feed(self, data: bytes) -> Iterator[bytes | str]:
        """Take in what was read; yields keys as bytes, and the text of each paste that has ended."""
        if self._lost_end and self._text is None and END in data.partition(START)[0]:
            data = data.partition(END)[2]  # the rest of a paste that was given up
            self._lost_end = False
        while data:
            if self._text is None:
                keys, data = self._keys(data)
                if keys:
                    yield keys
                continue
            text, end, data = (self._held + data).partition(END)
            self._held = b""
            if end:
                self._add(text)
                yield self._pasted()
            else:
                begun = _begun(text, END)
                self._held = text[len(text) - begun :]
                self._add(text[: len(text) - begun])

    def pause(self) -> None:
        """Nothing was read for so long that a lone escape has become a key."""
        self._taken_as_key = True

    def give_up(self) -> str:
        """End a paste whose end has not come, and return its text."""
        self._lost_end = True
        self._held = b""
        return self._pasted()

    def _keys(self, data: bytes) -> tuple[bytes, bytes]:
        """The keys up to the next paste, and what comes behind its start marker."""
        already = len(self._passed)
        whole = self._passed + self._held + data
        keys, start, rest = whole.partition(START)
        self._held = self._passed = b""
        if start:
            self._text = bytearray()
            cut = already if len(keys) < already and not self._taken_as_key else 0
            self._taken_as_key = False
            return keys[already:] + START[cut:] + END, rest
        self._taken_as_key = False
        begun = _begun(whole, START)
        if begun < _SURE or len(whole) - begun < already:
            self._passed = whole[len(whole) - begun :]
        else:
            self._held = whole[len(whole) - begun :]
            whole = whole[: len(whole) - begun]
        return whole[already:], b""

    def _add(self, text: bytes) -> None:
        assert self._text is not None
        self._text += text[: MOST - len(self._text)]

    def _pasted(self) -> str:
        assert self._text is not None
        text, self._text = bytes(self._text), None
        return text.decode(self._codec, "replace")


def _begun(data: bytes, marker: bytes) -> int:
    """How many bytes at the end of the data are the beginning of the marker, which is not whole."""
    return next((size for size in range(len(marker) - 1, 0, -1) if data.endswith(marker[:size])), 0)
