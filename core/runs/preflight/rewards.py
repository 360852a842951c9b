"""The line about rewards: whether what they need is there. Trying them takes longer: `tunedeck rewards`."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput
from core.jobs.launch import worker_python
from core.recipe.asks import read_reward_file
from core.recipe.generation import generation_batch, kept_columns, prompts_at_once
from core.recipe.model_files import can_be_downloaded
from core.recipe.reward_models import why_not_scoring
from core.recipe.rewards import KINDS
from core.recipe.sections.rewards import RewardEntry
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
                    yield from _function(reward, read_reward_file(reward.file)[0])
                else:
                    json.loads(Path(reward.file).read_bytes())
            except ValueError:
                yield stop(f"{clean_line(reward.file, 200)}: not a JSON schema.", _FIELD, "cannot be read")
            except (BadInput, OSError) as error:
                words = error.strerror if isinstance(error, OSError) else error.what
                yield stop(f"{clean_line(reward.file, 200)}: {words}.", _FIELD, "cannot be read")
        if reward.model and "model" in kind.uses:
            yield from _model(reward.model)
        if "column" in kind.uses and not kind.runs_code and not reward.column and _without_answers(seen):
            words = (
                f"{reward.kind} compares with the answer in the data, and these prompts have none. Name a column with "
            )
            yield stop(f"{words}the reference: {reward.kind}=1; column=...", _FIELD, "no answers")
    train = seen.data.train
    if train is not None and (present := train.recognition.all_columns):
        for name in kept_columns(seen.recipe):
            if name not in present:
                known = clean_line(", ".join(present), 300)
                yield stop(f"The data has no column {clean_line(name, 60)}; it has {known}.", _FIELD, "no such column")


def _without_answers(seen: BeforeStart) -> bool:
    return bool(seen.kinds) and not seen.kinds & {"messages"}  # type: ignore[operator]


def _model(name: str) -> Iterator[PreflightFinding]:
    """A reward model that is not there, or that writes text instead."""
    shown = clean_line(name, 200)
    if not Path(name).is_dir():
        if not can_be_downloaded(name):
            words = (
                f"There is no reward model {shown}. Give a run of the task reward, its folder, or a Hub ID (org/name)."
            )
            yield stop(words, _FIELD, "no such model")
    elif why := why_not_scoring(name):
        words = f"{shown} is no reward model: {why}. Give a run of the task reward, or a sequence classifier."
        yield stop(words, _FIELD, "no reward model")


def _function(reward: RewardEntry, text: str) -> Iterator[PreflightFinding]:
    """A file without the function that is named, by its source: nothing is run."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        yield stop(f"{clean_line(reward.file, 200)}: not valid Python: {clean_line(str(error), 100)}.", _FIELD)
        return
    functions = [each.name for each in body if isinstance(each, ast.FunctionDef)]
    if reward.function not in functions and not {reward.function, "*"} & _bound(body):
        known = f"it has {clean_line(', '.join(functions), 200)}" if functions else "it has none"
        words = f"{clean_line(reward.file, 200)} has no function {clean_line(reward.function, 60)}; {known}."
        yield stop(words, _FIELD, "no such function")


def _bound(body: list[ast.stmt]) -> set[str]:
    """Names that it may give a function in another way than `def`; `*` for any."""
    nodes = [node for each in body for node in ast.walk(each)]
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return names | {alias.asname or alias.name for each in imports for alias in each.names}
