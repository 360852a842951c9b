"""The texts to compare, on disk: only their places are in memory."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.hashing import blake
from core.dataset.item import normalize
from core.dataset.near.headers import LOOKED_AT, Headers
from core.dataset.near.shared import Shared
from core.errors import TunedeckError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGEST_BYTES = 16
NO_CONTENT = bytes(DIGEST_BYTES)
_ROWS_FOR_CONSTANT = 20


class Corpus:
    """Normalized texts, each written once to a file without a name; 60 bytes a text in memory.

    First all texts are added, then `settle` finds what they share, and from then on they are read.

    Args:
        folder: where the file lies while it is needed; None for the system's place for temporary files.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._ends = array("Q", [0])
        self._digests = bytearray()
        self._header_of = array("h")
        self._body_at = array("L")
        self._system_same = True
        self._answer = ""
        self._answer_same = True
        self._first_system = ""
        self._structured = False
        self.shared = Shared()
        """What is removed from each text, once it is known."""
        self.rows = array("L")
        """The good row of each text, ascending."""
        self.lengths = array("L")
        """Characters of each text, with all that the rows share."""
        self.contents = bytearray()
        """The content digests of the rows, 16 bytes each."""

    def __len__(self) -> int:
        return len(self.rows)

    def close(self) -> None:
        """Gives the file's space back."""
        self._file.close()

    def add(
        self, row: int, text: str, content: bytes, *, system: str = "", answer: str = "", structured: bool = True
    ) -> None:
        """Adds a text.

        Args:
            row: its good row.
            text: normalized.
            content: digest of the sample.
            system: the system prompt that the text begins with, or "".
            answer: the answer that the text ends with, or "".
            structured: False for plain text, of which nothing is ever left out.
        """
        data = text.encode("utf-8", "surrogatepass")
        try:
            self._file.write(data)
        except OSError as fault:
            raise _unwritten(fault, self._folder) from fault
        if not len(self):
            self._first_system, self._answer = system, answer
        self._system_same = self._system_same and system == self._first_system
        self._answer_same = self._answer_same and answer == self._answer
        self._structured = self._structured or structured
        self._ends.append(self._ends[-1] + len(data))
        self._digests += blake(data, DIGEST_BYTES)
        self.rows.append(row)
        self.lengths.append(len(text))
        self.contents += content

    def settle(self, shared: Shared | None = None) -> list[str]:
        """Finds what the rows share and leaves it out of the texts from here on.

        Args:
            shared: what is removed, where that is known: a few rows of a dataset may share more than all do.

        Returns:
            What was found to be left out, a sentence each.
        """
        try:
            self._file.flush()
        except OSError as fault:
            raise _unwritten(fault, self._folder) from fault
        if shared is not None:
            self.shared = shared
            if shared.headers:
                self._split(shared.splitter())
            return []
        if not self._structured or len(self) < 2:
            return []
        said = self._constants()
        firsts, _ = self.distinct()
        headers = Headers.of([self.shared.shorten(self.full(number)) for number in firsts[:LOOKED_AT].tolist()])
        if not len(headers):
            return said
        in_rows, longest = self._split(headers)
        self.shared = replace(self.shared, headers=headers.texts)
        many = f"{len(headers):,} shared prefixes" if len(headers) > 1 else "one shared prefix"
        said.append(f"{many}, in {in_rows:,} of {len(self):,} rows, up to {longest:,} characters long")
        return said

    def _split(self, headers: Headers) -> tuple[int, int]:
        """Notes the header of each text; returns how many have one, and the longest's characters."""
        longest = in_rows = 0
        for number in range(len(self)):
            header, length = headers.split(self.shared.shorten(self.full(number)))
            self._header_of.append(header)
            self._body_at.append(length)
            in_rows += header >= 0
            longest = max(longest, length)
        return in_rows, longest

    def number(self, row: int) -> int:
        """The text of a good row."""
        return bisect_left(self.rows, row)

    def digests(self, numbers: Iterable[int]) -> bytes:
        """The hashes of some texts, one after the other."""
        return b"".join(self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES] for number in numbers)

    def same(self, first: int, second: int) -> bool:
        """Whether two texts are equal, with all that they share with others."""
        one, other = (slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES) for number in (first, second))
        return self._digests[one] == self._digests[other]

    def full(self, number: int) -> str:
        """A text with all that it shares with others."""
        start, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8", "surrogatepass")

    def body(self, number: int) -> str:
        """A text without what was removed."""
        text = self.shared.shorten(self.full(number))
        return text[self._body_at[number] :] if self._body_at else text

    def header(self, number: int) -> int:
        """Which shared beginning a text had; -1 for none."""
        return self._header_of[number] if self._header_of else -1

    def bodies(self, numbers: Iterable[int]) -> list[str]:
        """Several texts without what was removed."""
        return [self.body(number) for number in numbers]

    def distinct(self, apart: Sequence[int] = ()) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Equal texts taken together.

        Args:
            apart: texts that are to stay on their own.

        Returns:
            The number of the first of each distinct text, in an order that depends on the texts alone and not on where
            they stand; and for every text its place among these. Empty texts have none: -1.
        """
        import numpy as np

        words = np.frombuffer(bytes(self._digests), ">u8").reshape(-1, 2).astype(np.uint64)
        own = np.zeros(len(self), np.int64)
        own[list(apart)] = np.asarray(apart, np.int64) + 1
        order = np.lexsort((np.arange(len(self)), own, words[:, 1], words[:, 0]))
        order = order[np.frombuffer(self.lengths, self._ulong())[order] > 0]
        place = np.full(len(self), -1, np.int64)
        if not len(order):
            return order, place
        ordered = np.column_stack((words[order], own[order].astype(np.uint64)))
        new = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
        place[order] = np.cumsum(new) - 1
        return order[new], place

    def _ulong(self) -> str:
        return f"u{array('L').itemsize}"

    def _constants(self) -> list[str]:
        said = []
        shortest = min(self.lengths)
        system, answer = normalize(self._first_system), normalize(self._answer)
        if self._system_same and 0 < len(system) < shortest:
            self.shared = replace(self.shared, system=len(system))
            said.append(f"the system prompt, identical in all rows ({len(system):,} characters)")
        # Two spaces may stand between the parts.
        rest = shortest - len(answer) - self.shared.system - 2
        if self._answer_same and answer and rest > 0 and len(self) >= _ROWS_FOR_CONSTANT:
            self.shared = replace(self.shared, answer=answer)
            said.append(f"the answer, identical in all rows ({len(answer):,} characters)")
        return said


def _unwritten(fault: OSError, folder: str | Path | None) -> TunedeckError:
    return TunedeckError(
        f"the temporary file of texts cannot be written: {fault.strerror}",
        where=str(folder or tempfile.gettempdir()),
        do="Free some space there, or set TMPDIR to another folder",
    )
