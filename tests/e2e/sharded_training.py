"""The training worker with FSDP on the CPU: `sharded_training FOLDER`.

Accelerate shares a model out on GPUs alone, and stays with DDP on the CPU without a word; torch itself can share it
out over gloo. So accelerate is told that it may; everything behind that is the real thing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from core.training import run
from tests.e2e import disturbed_training


def main(argv: Sequence[str]) -> int:
    """Trains; with a variable `DISTURB_AT`, as `disturbed_training` does."""
    _share_out_on_the_cpu()
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
