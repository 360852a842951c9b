"""The losses of TRL's DPO trainer: what each does, and which of them the installed TRL computes. Imports no torch."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import util
from pathlib import Path

from core.jobs.launch import worker_python

LOSSES: Mapping[str, str] = {
    "sigmoid": "DPO as published",
    "sigmoid_norm": "DPO on log-probabilities per token, so that length matters less",
    "ipo": "squared distance to a target margin; overfits pairs less",
    "hinge": "no loss once the margin is reached",
    "robust": "for pairs that are partly labeled the wrong way around; needs label smoothing",
    "exo_pair": "matches the model to the preference; needs label smoothing above 0, such as 0.001",
    "apo_zero": "raises chosen and lowers rejected answers; for answers better than the model's own",
    "apo_down": "lowers both, rejected answers more; for answers worse than the model's own",
    "nca_pair": "also keeps the probability of the chosen answer from falling",
    "bco_pair": "a binary classifier on the reward of each answer",
    "sppo_hard": "pushes each answer toward a fixed win rate",
    "discopop": "a blend of logistic and exponential loss, found by search",
    "aot": "compares sorted margins within a batch; needs a batch size above 1",
    "aot_unpaired": "aot without pairing the answers; needs a batch size above 1",
    "sft": "the SFT loss on the chosen answers; added to another loss",
}
"""Each loss that TRL had when this was written; a test compares them with the installed one's source."""

SMOOTHED = ("robust", "exo_pair", "aot", "aot_unpaired")
"""Those that read `label_smoothing`."""

WITH_DIVERGENCE = frozenset({"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"})
"""Those that TRL accepts with another divergence than reverse KL."""

_COMPARED = re.compile(r"""\bloss_type == ["'](\w+)["']""")


@cache
def installed_losses() -> frozenset[str]:
    """The losses that the installed TRL computes, read from its source; empty where only the worker could tell."""
    if worker_python() != sys.executable or (spec := util.find_spec("trl")) is None:
        return frozenset()
    for place in spec.submodule_search_locations or ():
        try:
            return frozenset(_COMPARED.findall(Path(place, "trainer", "dpo_trainer.py").read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
    return frozenset()


class DpoLosses(Mapping[str, str]):
    """The losses that a recipe may name: those that are known, and any more that the installed TRL has.

    TRL's source is read when a name is asked for that is not known; listing them reads nothing.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> str:
        """What a loss does."""
        if name in self._known:
            return self._known[name]
        if name in installed_losses():
            return "a loss of the installed TRL; see its documentation"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """The known ones."""
        return iter(self._known)

    def __len__(self) -> int:
        """How many are known."""
        return len(self._known)
