"""Runs a script of `tunedeck script` and times its steps: `python -m core.engine.timed_script SCRIPT OUT`.

The script is not changed: a callback is added to those that every trainer has. OUT gets a line of JSON for each line
that it logs, with `t`, seconds since an epoch, and at the end `peak_memory` in bytes.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(argv: Sequence[str]) -> int:
    """Trains, in a process of its own, in the script's folder."""
    script, out = (Path(each).resolve() for each in argv)
    from transformers import TrainerCallback, trainer

    with out.open("w") as lines:

        class Timed(TrainerCallback):
            """Writes what is logged, with the time."""

            def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
                """One line."""
                lines.write(json.dumps({"t": time.time(), "step": state.global_step, **(logs or {})}) + "\n")
                lines.flush()

        trainer.DEFAULT_CALLBACKS.append(Timed)
        os.chdir(script.parent)
        runpy.run_path(str(script), run_name="__main__")
        import torch

        peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
        lines.write(json.dumps({"t": time.time(), "peak_memory": peak}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
