"""What each stage of a job does, in words: declared once, so that no status, event or error shows a module's name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise

TRAINING = "Training"
COMPARING = "Comparing base and tuned models"
COUNTING = "Counting tokens"

TITLES: Mapping[str, str] = {
    "core.training": TRAINING,
    "core.evaluation": COMPARING,
    "core.runs.view_job": "Building the training set",
    "core.runs.overview_job": "Building the overview",
    "core.training.measure": COUNTING,
    "core.training.measure_job": COUNTING,
    "core.dataset.scan.job": "Scanning the dataset",
    "core.engine.fetch_data": "Downloading the dataset",
}
"""Module of a stage -> what it does, so that "... failed: ..." makes a sentence."""


def title_of(argv: Sequence[str]) -> str:
    """What a command does; for one that is not among `TITLES` its program's or module's own name.

    Args:
        argv: of a stage; the module is the one behind the last `-m`.
    """
    modules = [module for flag, module in pairwise(argv) if flag == "-m"]
    if not modules:
        return f"Running {os.path.basename(argv[0])}"
    return TITLES.get(modules[-1]) or f"Running {modules[-1].rpartition('.')[2]}"
