"""The rewards, tested on ten samples before the model is loaded: what cannot work ends a run in its first seconds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from core.dataset.sample import Sample
from core.engine.asked import parted
from core.engine.rewards.trial import tried
from core.engine.samples import read_view
from core.engine.worker import Worker
from core.errors import BadInput, TunedeckError
from core.recipe.recipe import Recipe, put
from core.recipe.rewards import KINDS
from core.runs.reward_files import with_kept_files
from core.runs.reward_trial import SAMPLES, trial_of


def check_rewards(worker: Worker, recipe: Recipe, tokenizer: Any) -> None:
    """Tests each reward except reward models, which are loaded later; says which are constant.

    Args:
        worker: of the run; its own copies of the files are used.
        recipe: of the run.
        tokenizer: of the model.

    Raises:
        TunedeckError: a reward cannot score the data's own answers.
    """
    quick = tuple(reward for reward in recipe.rewards if not KINDS[reward.kind].loads)
    samples = list(islice(_prompts(worker), SAMPLES))
    if not quick or not samples:
        return
    own = with_kept_files(put(recipe, "rewards", quick), worker.folder.path)
    trial = trial_of(tried(own, samples, tokenizer))
    for reward in trial.rewards:
        if reward.error:
            raise TunedeckError(f"A reward failed on the first samples: {reward.error}", where="rewards")
        if reward.problem:
            worker.event("alert", reward.problem)


def _prompts(worker: Worker) -> Iterator[Sample]:
    for row in read_view(worker.folder.data / "train.jsonl"):
        try:
            parted(row.sample)
        except BadInput:
            continue
        yield row.sample
