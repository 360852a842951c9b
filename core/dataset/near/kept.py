"""What a search for near-duplicates that was cancelled has worked out, so that the next need not do it again.

Rows are read again, which is quick; sketches and verified pairs, which are not, are taken from here if the texts, what
is left out of them, and what counts are the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from core.dataset.hashing import blake

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "search.npz"
_DIGEST_BYTES = 16

Known = dict[tuple[int, int], float]
"""Pairs of places (the smaller first) to their similarity, 0 for those that are none."""


@dataclass(slots=True)
class Work:
    """How far a search has come.

    Attributes:
        bands: of the sketches, shape (bands, texts).
        marks: of the sketches, shape (texts, marks).
        sketched: texts that have their sketch, from the first on.
        known: pairs that were verified.
    """

    bands: NDArray[np.uint32]
    marks: NDArray[np.uint8]
    sketched: int = 0
    known: Known = field(default_factory=dict)


class SearchCache:
    """The place where a search keeps its work when it is ended early.

    Args:
        folder: of its results; None keeps nothing.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self._file = None if folder is None else Path(folder) / FILE
        self._signature = b""

    def work(self, digests: bytes, about: Mapping[str, Any], shapes: tuple[tuple[int, int], tuple[int, int]]) -> Work:
        """What is kept of just this search; otherwise work that is to be begun.

        Args:
            digests: of the texts, in their order.
            about: all else that sketches and similarities depend on.
            shapes: of the bands and the marks.
        """
        import numpy as np

        said = json.dumps(about, sort_keys=True, default=list).encode()
        self._signature = blake(digests + said, _DIGEST_BYTES)
        new = Work(np.zeros(shapes[0], np.uint32), np.zeros(shapes[1], np.uint8))
        if self._file is None or not self._file.exists():
            return new
        try:
            with np.load(self._file, allow_pickle=False) as found:
                if found["signature"].tobytes() != self._signature:
                    return new
                bands, marks = found["bands"], found["marks"]
                sketched = int(found["sketched"])
                pairs, similarity = found["pairs"].tolist(), found["similarity"].tolist()
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # cut short, or something else
            return new
        if (bands.shape, marks.shape) != shapes or bands.dtype != new.bands.dtype or marks.dtype != new.marks.dtype:
            return new
        known = {(first, second): like for (first, second), like in zip(pairs, similarity, strict=True)}
        return Work(bands, marks, sketched, known)

    def keep(self, work: Work) -> None:
        """Keeps the work; a disk without room keeps nothing, and the next search starts over."""
        import numpy as np

        if self._file is None:
            return
        partial = self._file.with_name(f".{FILE}")
        pairs = np.asarray(list(work.known), np.int64).reshape(-1, 2)
        similarity = np.asarray(list(work.known.values()), np.float64)
        try:
            with partial.open("wb") as file:
                np.savez(
                    file,
                    signature=np.frombuffer(self._signature, np.uint8),
                    bands=work.bands,
                    marks=work.marks,
                    sketched=np.asarray(work.sketched),
                    pairs=pairs,
                    similarity=similarity,
                )
            os.replace(partial, self._file)
        except OSError:
            partial.unlink(missing_ok=True)

    def forget(self) -> None:
        """The search has come to its end."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def is_kept(results: Path) -> bool:
    """Whether a search that was ended early has left something in the folder of its results."""
    return (results / FILE).exists()
