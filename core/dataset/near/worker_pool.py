"""Sketches all texts, a thousand at a time, in this process and, on request, in helpers beside it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from core.dataset.near.corpus import Corpus
from core.dataset.near.kept import Work
from core.dataset.near.result import StageProgress
from core.dataset.near.sketch import MARKS, Banding, Sketches, sketch
from core.errors import TunedeckError
from core.paths import ROOT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 1_000
_MODULE = "core.dataset.near.worker_pool"
_HEAD = struct.Struct("<QQ")


def sketch_all(
    corpus: Corpus,
    numbers: NDArray[np.int64],
    banding: Banding,
    processes: int,
    tick: StageProgress,
    work: Work | None = None,
) -> Sketches:
    """Sketches the texts of these numbers, in this order.

    Args:
        corpus: the texts.
        numbers: of those that are sketched.
        banding: how signatures are cut.
        processes: how many work, this one included.
        tick: told progress; may raise to stop.
        work: what is there already, and takes what is made.

    Raises:
        TunedeckError: a helper died.
    """
    work = begin(len(numbers), banding) if work is None else work
    bands, marks = work.bands, work.marks

    def put(first: int, found: Sketches) -> None:
        bands[:, first : first + found.bands.shape[1]] = found.bands
        marks[first : first + len(found.marks)] = found.marks

    starts = range(work.sketched, len(numbers), CHUNK)
    with ExitStack() as stack:
        helpers = [stack.enter_context(Helper(banding)) for _ in range(min(processes, len(starts)) - 1)]
        share = len(helpers) + 1
        for at in range(0, len(starts), share):
            tick("sketching", starts[at], len(numbers))
            own, *theirs = starts[at : at + share]
            # Each helper is given one chunk and asked for it before it gets another: no pipe can fill up on both sides.
            for helper, first in zip(helpers, theirs, strict=False):
                helper.give(corpus.bodies(numbers[first : first + CHUNK].tolist()))
            put(own, sketch(corpus.bodies(numbers[own : own + CHUNK].tolist()), banding))
            for helper, first in zip(helpers, theirs, strict=False):
                put(first, helper.take())
            work.sketched = min(len(numbers), starts[at] + share * CHUNK)
    tick("sketching", len(numbers), len(numbers))
    return Sketches(bands, marks)


def shapes(count: int, banding: Banding) -> tuple[tuple[int, int], tuple[int, int]]:
    """The shapes of the bands and the marks of some texts."""
    return (banding.bands, count), (count, MARKS)


def begin(count: int, banding: Banding) -> Work:
    """Sketches that are all to be made."""
    import numpy as np

    bands, marks = shapes(count, banding)
    return Work(np.zeros(bands, np.uint32), np.zeros(marks, np.uint8))


class Helper:
    """A process that sketches; it ends when its input does, so also when this process is killed.

    Args:
        banding: how signatures are cut.
    """

    def __init__(self, banding: Banding) -> None:
        self._banding = banding
        self._count = 0

    def __enter__(self) -> Helper:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", _MODULE, str(self._banding.bands), str(self._banding.width)]
        # Of its own session: ctrl-c is this process's to answer, and the helper ends with its input.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._input.close()
        self._output.close()
        self._process.wait()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def give(self, texts: Sequence[str]) -> None:
        """Hands texts over."""
        import numpy as np

        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        self._count = len(encoded)
        try:
            self._input.write(_HEAD.pack(len(encoded), sum(map(len, encoded))))
            self._input.write(np.fromiter(map(len, encoded), np.uint64, len(encoded)).tobytes())
            self._input.write(b"".join(encoded))
            self._input.flush()
        except BrokenPipeError:
            raise self._died() from None

    def take(self) -> Sketches:
        """Waits for the sketches of the texts handed over last."""
        import numpy as np

        bands = self._output.read(self._banding.bands * self._count * 4)
        marks = self._output.read(self._count * MARKS)
        if len(marks) != self._count * MARKS:
            raise self._died()
        return Sketches(
            np.frombuffer(bands, np.uint32).reshape(self._banding.bands, self._count),
            np.frombuffer(marks, np.uint8).reshape(self._count, MARKS),
        )

    def _died(self) -> TunedeckError:
        return TunedeckError("a worker process of the near-duplicate search died", do="Try again with --processes 1")


def help_out(argv: Sequence[str], given: IO[bytes], answer: IO[bytes]) -> None:
    """The helper: sketches what it is given until there is no more."""
    import numpy as np

    banding = Banding(*map(int, argv))
    while head := given.read(_HEAD.size):
        count, size = _HEAD.unpack(head)
        ends = np.cumsum(np.frombuffer(given.read(count * 8), np.uint64)).tolist()
        data = given.read(size)
        texts = [data[start:end].decode("utf-8", "surrogatepass") for start, end in zip([0, *ends], ends, strict=False)]
        found = sketch(texts, banding)
        answer.write(found.bands.tobytes())
        answer.write(found.marks.tobytes())
        answer.flush()


def main(argv: Sequence[str]) -> int:
    """The helper's own process: `python -m core.dataset.near.worker_pool BANDS WIDTH`."""
    try:
        help_out(argv, sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        # Whom it helped has gone; the stream is closed before the interpreter can complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
