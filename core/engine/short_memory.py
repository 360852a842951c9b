"""Whether an error means that memory was short: torch has an error of its own for some, and only words for others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.errors import TunedeckError

GPU = "GPU"
RAM = "RAM"

_GPU_WORDS = re.compile(
    r"out of memory|out_of_memory|OutOfMemory|MemoryAllocation"
    r"|(CUBLAS|CUSOLVER|CUSPARSE|CUDNN|HIPBLAS|ROCBLAS|MIOPEN|CUFFT|NVRTC)[A-Z_]*ALLOC[A-Z_]*FAILED"
    r"|failed to \w*\W*[cm]alloc|(cuda|hip) failure 2\b",
    re.IGNORECASE,
)
"""What libraries of a GPU say when they get no memory: cuBLAS and cuDNN for their own work space, NCCL for its buffers,
the driver to any call that comes behind."""

_RAM_WORDS = re.compile(
    r"DefaultCPUAllocator|can't allocate memory|cannot allocate memory|std::bad_alloc"
    r"|Unable to allocate [\d.]+ [KMGT]iB",
    re.IGNORECASE,
)


def short_of(error: BaseException) -> str:
    """Which memory was short: `GPU`, `RAM`, or "" where the error means something else.

    Looks at the error and at those that it was raised from: a library may have put its own around it. One that says
    already what happened, as ours do, is none.
    """
    if isinstance(error, TunedeckError):
        return ""
    for link in _causes(error):
        words = str(link)
        if isinstance(link, MemoryError) or _RAM_WORDS.search(words):
            return RAM
        if type(link).__name__ == "OutOfMemoryError" or _GPU_WORDS.search(words):
            return GPU
    return ""


def ran_out_of(memory: str) -> str:
    """What happened, as the beginning of a sentence.

    Args:
        memory: of `short_of`.
    """
    return "The machine ran out of memory (RAM)" if memory == RAM else "The GPU ran out of memory"


def first_line(error: BaseException) -> str:
    """The error's own words, without what follows in the next lines."""
    return str(error).strip().partition("\n")[0]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
