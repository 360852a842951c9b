"""Allocates GPU memory until only this many bytes are free, and holds it: `python -m core.engine.hold_memory BYTES`.

For the GPU check: a run beside it runs out of memory for real, whatever the card. It prints what it holds, and ends
when its input does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_PIECE = 2**28


def main(argv: Sequence[str]) -> int:
    """Holds the memory.

    Args:
        argv: bytes that stay free.
    """
    import torch

    left, held = int(argv[0]), []
    while True:
        free, _ = torch.cuda.mem_get_info()
        size = min(_PIECE, free - left)
        if size < 2**20:
            break
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            break
    print(sum(each.numel() for each in held), flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
