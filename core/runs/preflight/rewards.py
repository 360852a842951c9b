"""The line about rewards: whether what they need is there. Trying them takes longer: `tunedeck rewards`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput
from core.jobs.launch import worker_python
from core.recipe.asks import read_reward_file
from core.recipe.generation import generation_batch, kept_columns, prompts_at_once
from core.recipe.model_files import is_hub_name
from core.recipe.rewards import KINDS
from core.recipe.tasks import TASKS
from core.recipe.values import number_text
from core.runs.preflight.line import PreflightFinding, ok, stop
from core.runs.preflight.seen import BeforeStart

_FIELD = "rewards"


def rewards(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Packages, files, models and columns of the rewards."""
    recipe = seen.recipe
    if not TASKS[recipe.task].generates or not recipe.rewards:
        return
    wrong = [*_needs(seen)]
    yield from wrong
    if not wrong:
        each = ", ".join(f"{reward.name or reward.kind} x {number_text(reward.weight)}" for reward in recipe.rewards)
        prompts, count = prompts_at_once(recipe), generation_batch(recipe)
        several = f"{prompts:,} prompt{'s' * (prompts != 1)}"
        yield ok(
            f"{clean_line(each, 200)}. Each generation: {several}, {count:,} completions. Test the rewards on "
            "ten samples first: ctrl+t, or tunedeck rewards."
        )


def _needs(seen: BeforeStart) -> Iterator[PreflightFinding]:
    own = worker_python() == sys.executable
    for reward in seen.recipe.rewards:
        kind = KINDS[reward.kind]
        package, module = kind.package
        if module and own and find_spec(module) is None:
            yield stop(
                f"The reward {reward.kind} needs the package {package}, which is not installed. Install it with: "
                f"pip install {package}",
                _FIELD,
                "not installed",
            )
        if reward.file and "file" in kind.uses:
            try:
                if kind.runs_code:
                    read_reward_file(reward.file)
                else:
                    Path(reward.file).read_bytes()
            except (BadInput, OSError) as error:
                words = error.strerror if isinstance(error, OSError) else error.what
                yield stop(f"{clean_line(reward.file, 200)}: {words}.", _FIELD, "cannot be read")
        if reward.model and "model" in kind.uses and not is_hub_name(reward.model) and not Path(reward.model).is_dir():
            yield stop(
                f"There is no reward model at {clean_line(reward.model, 200)}. Give a run of the task reward, or a "
                "Hub ID.",
                _FIELD,
                "no such model",
            )
    train = seen.data.train
    if train is not None and (present := train.recognition.all_columns):
        for name in kept_columns(seen.recipe):
            if name not in present:
                known = clean_line(", ".join(present), 300)
                yield stop(f"The data has no column {clean_line(name, 60)}; it has {known}.", _FIELD, "no such column")
