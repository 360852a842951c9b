"""The training worker with FSDP on the CPU: `sharded_training FOLDER`.

Accelerate shares a model out on GPUs alone, and stays with DDP on the CPU without a word; torch itself can share it
out over gloo. So accelerate is told that it may; everything behind that is the real thing.

Variables: those of `disturbed_training`; `NO_END` makes an answer to a sample prompt end at its limit only;
`FAILS_TO_ANSWER` is a rank that fails in its second round of answers, after three tokens.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from core.engine import generate as generating
from core.training import run
from tests.kit import disturbed_training


def main(argv: Sequence[str]) -> int:
    """Trains; with a variable `DISTURB_AT`, as `disturbed_training` does."""
    _share_out_on_the_cpu()
    if "NO_END" in os.environ:
        patch("core.training.sampling.stop_ids", return_value=[]).start()
    if "FAILS_TO_ANSWER" in os.environ and os.environ["FAILS_TO_ANSWER"] == os.environ["RANK"]:
        _fail_to_answer()
    return disturbed_training.main(argv) if "DISTURB_AT" in os.environ else run.main(argv)


def _share_out_on_the_cpu() -> None:
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    begin = AcceleratorState.__init__

    def begin_sharded(self: Any, *arguments: Any, fsdp_plugin: Any = None, **names: Any) -> None:
        begin(self, *arguments, fsdp_plugin=fsdp_plugin, **names)
        if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.FSDP
            self.fsdp_plugin = fsdp_plugin
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = begin_sharded


def _fail_to_answer() -> None:
    answer, rounds = generating.generate, iter(range(9))

    def generate(*arguments: Any, **names: Any) -> Any:
        if next(rounds) != 1:
            return answer(*arguments, **names)
        tokens = iter(range(3))

        def tick(done: int) -> None:
            names["tick"](done)
            if next(tokens, None) is None:
                raise MemoryError("no room for another token")

        return answer(*arguments, **{**names, "tick": tick})

    patch("core.training.sampling.generate", generate).start()
