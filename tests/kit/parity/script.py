"""Runs a script that `tunedeck script` has printed: `python -m tests.kit.parity.script SCRIPT OUT`.

OUT gets the lines that its trainer has logged. The script runs as it is, in the folder that it lies in.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Trains, in a process of its own."""
    script, out = (Path(each).resolve() for each in argv)
    os.chdir(script.parent)
    found = runpy.run_path(str(script), run_name="__main__")
    out.write_text(json.dumps(found["trainer"].state.log_history))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
