"""The recipe: what to train and how, as frozen dataclasses; the one declaration behind form, YAML and worker.

Standard library only: a worker in another interpreter reads the resolved recipe from
`job.json["payload"]["recipe"]` with `from_json`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache, partial
from typing import Any, get_type_hints

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.adapters import ADAPTERS, ELSEWHERE, with_adapter, with_section
from core.recipe.conditions import filled
from core.recipe.declare import Knob, Problem, fields_of, knob
from core.recipe.field_names import nearest_field
from core.recipe.sections.adapter import LayerAdapter
from core.recipe.sections.cpo import Cpo
from core.recipe.sections.cpt import Cpt
from core.recipe.sections.data import Data
from core.recipe.sections.distill import Distill
from core.recipe.sections.dpo import Dpo
from core.recipe.sections.evaluation import Evaluation
from core.recipe.sections.grpo import Grpo
from core.recipe.sections.kto import KtoSettings
from core.recipe.sections.last_layers import LastLayers
from core.recipe.sections.lora import Lora
from core.recipe.sections.model import Model
from core.recipe.sections.orpo import Orpo
from core.recipe.sections.reporting import Reporting
from core.recipe.sections.reward import RewardModel
from core.recipe.sections.rewards import RewardEntry
from core.recipe.sections.rloo import Rloo
from core.recipe.sections.rollouts import Rollouts
from core.recipe.sections.samples import Samples
from core.recipe.sections.sft import Sft
from core.recipe.sections.soft_prompt import SoftPrompt
from core.recipe.sections.training import Training
from core.recipe.tasks import GONE, TASKS, tasks_that_write, tasks_with
from core.recipe.values import Value

__all__ = [
    "Cpo",
    "Cpt",
    "Data",
    "Dpo",
    "Evaluation",
    "Grpo",
    "KtoSettings",
    "Lora",
    "Model",
    "Orpo",
    "Recipe",
    "Reporting",
    "RewardEntry",
    "RewardModel",
    "Rloo",
    "Rollouts",
    "Samples",
    "Sft",
    "Training",
]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe. `Recipe()` holds every default; only model and data must be filled in."""

    name: str = knob(
        "",
        title="Name",
        help="The name of the run in lists and folders. Leave it empty to name it after the data.",
    )
    task: str = knob(
        "sft",
        title="Task",
        help="The kind of training. TRL no longer has PPO: use rloo or grpo with a reward model.",
        choices={task.name: task.meaning for task in TASKS.values()},
        gone=GONE,
    )
    method: str = knob(
        "lora",
        title="Method",
        help="Which weights to train.",
        consequence="full needs three to seven times the memory of 16-bit LoRA, and the model forgets more.",
        choices={adapter.kind: adapter.meaning for adapter in ADAPTERS},
        gone=ELSEWHERE,
        source="LoRA learns less and forgets less, arXiv 2405.09673",
    )
    rewards: tuple[RewardEntry, ...] = knob(
        (),
        title="Rewards",
        help="How answers are scored, each as kind=weight with its settings: exact_match=1; column=solution. The "
        "weighted scores are added up.",
        consequence="The model learns what is scored, not what you mean: test the rewards before the run, and read "
        "completions during it.",
        when=tasks_with("rollouts"),
    )
    starts_from: str = knob(
        "",
        title="Starts from",
        path=True,
        help="Weights to start from instead of the bare base model: a run (name, part of it, or last), a checkpoint of "
        "one (RUN/checkpoint-40), or the folder of an adapter or a model.",
        consequence="The run keeps its own copy, so the source can be deleted. Preference tasks compare with "
        "this model, not with the bare base.",
    )
    starts_how: str = knob(
        "continue",
        title="How it starts",
        help="What to do with the weights that the run starts from.",
        consequence="continue produces one adapter for the same base model. merge produces an adapter for a new base "
        "model, which is written into the run's folder.",
        choices={
            "continue": "train the same adapter, or the same weights, further",
            "merge": "merge them into the base model first, and train a new adapter on it",
        },
        when=filled("starts_from") & with_adapter(),
    )
    then: tuple[str, ...] = knob(
        (),
        title="Then",
        path=True,
        help="Recipes to run after this one, in order. Each starts from the weights of the one before it, unless it "
        "names its own starts_from: a run, the name of an earlier recipe in this list, or base.",
        consequence="All of them are queued as one pipeline. If one fails, those after it are held.",
        advanced=True,
    )
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    lora: Lora = field(default_factory=Lora, metadata={"when": with_section("lora")})
    adapter: LayerAdapter = field(default_factory=LayerAdapter, metadata={"when": with_section("adapter")})
    soft_prompt: SoftPrompt = field(default_factory=SoftPrompt, metadata={"when": with_section("soft_prompt")})
    last_layers: LastLayers = field(default_factory=LastLayers, metadata={"when": with_section("last_layers")})
    sft: Sft = field(default_factory=Sft, metadata={"when": tasks_with("sft")})
    cpt: Cpt = field(default_factory=Cpt, metadata={"when": tasks_with("cpt")})
    dpo: Dpo = field(default_factory=Dpo, metadata={"when": tasks_with("dpo")})
    rollouts: Rollouts = field(default_factory=Rollouts, metadata={"when": tasks_with("rollouts")})
    grpo: Grpo = field(default_factory=Grpo, metadata={"when": tasks_with("grpo")})
    rloo: Rloo = field(default_factory=Rloo, metadata={"when": tasks_with("rloo")})
    distill: Distill = field(default_factory=Distill, metadata={"when": tasks_with("distill")})
    kto: KtoSettings = field(default_factory=KtoSettings, metadata={"when": tasks_with("kto")})
    orpo: Orpo = field(default_factory=Orpo, metadata={"when": tasks_with("orpo")})
    cpo: Cpo = field(default_factory=Cpo, metadata={"when": tasks_with("cpo")})
    reward: RewardModel = field(default_factory=RewardModel, metadata={"when": tasks_with("reward")})
    training: Training = field(default_factory=Training)
    samples: Samples = field(default_factory=Samples, metadata={"when": tasks_that_write()})
    evaluation: Evaluation = field(default_factory=Evaluation)
    reporting: Reporting = field(default_factory=Reporting)


KNOBS: Mapping[str, Knob] = {declared.path: declared for declared in fields_of(Recipe)}
"""Every field by its dotted path, in the order of declaration."""

SECTIONS: Mapping[str, type] = {
    name: hint for name, hint in get_type_hints(Recipe).items() if isinstance(hint, type) and is_dataclass(hint)
}
"""The class of each section, in the order of declaration."""


def get(recipe: Recipe, path: str) -> Value:
    """The value of the field at a dotted path of `KNOBS`."""
    value: Any = recipe
    for name in path.split("."):
        value = getattr(value, name)
    found: Value = value
    return found


def default_of(recipe: Recipe, path: str) -> Value:
    """The value of a field in a fresh recipe of the same task."""
    return TASKS[recipe.task].defaults.get(path, KNOBS[path].default)


def why_without_effect(recipe: Recipe, path: str) -> str:
    """Why a field has no effect in this recipe, `method is full`; "" if it applies."""
    return " and ".join(KNOBS[path].when.why_not(partial(get, recipe)))


def is_shown(recipe: Recipe, path: str) -> bool:
    """Whether form and YAML show a field: it applies, or it was set all the same (the rules then say so)."""
    return get(recipe, path) != default_of(recipe, path) or not why_without_effect(recipe, path)


def put(recipe: Recipe, path: str, value: Value) -> Recipe:
    """A copy of the recipe with one field changed; the value must be of the field's type (`Knob.parse`).

    Where that is the task, fields that are at the defaults of the task before are put to those of the new one.
    """
    section, _, name = path.rpartition(".")
    if not section:
        changed = replace(recipe, **{name: value})  # type: ignore[arg-type]
        return _with_defaults(changed, recipe) if path == "task" and value != recipe.task else changed
    return replace(recipe, **{section: replace(getattr(recipe, section), **{name: value})})


def _with_defaults(recipe: Recipe, before: Recipe) -> Recipe:
    paths = dict.fromkeys((*TASKS[before.task].defaults, *TASKS[recipe.task].defaults))
    for path in paths:
        if get(before, path) == default_of(before, path):
            recipe = put(recipe, path, default_of(recipe, path))
    return recipe


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values, complete; `from_json(to_json(r)) == r`."""
    whole: dict[str, Any] = {}
    for path in KNOBS:
        section, _, name = path.rpartition(".")
        (whole.setdefault(section, {}) if section else whole)[name] = plain(get(recipe, path))
    return whole


def plain(value: Any) -> Any:
    """A field's value as JSON and YAML have it."""
    if isinstance(value, tuple):
        return [_record(item) if is_dataclass(item) else item for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _record(record: Any) -> dict[str, Any]:
    """An entry of a list of records: its first two fields, and of the others those that are not at their defaults."""
    first = [each.name for each in fields(record)[:2]]
    values = {each.name: (getattr(record, each.name), each.default) for each in fields(record)}
    return {name: value for name, (value, default) in values.items() if name in first or value != default}


def from_json(value: Mapping[str, Any]) -> Recipe:
    """The recipe from `to_json`; missing fields get the defaults of its task.

    Raises:
        BadInput: a name is unknown or a value is invalid; it names the field.
    """
    recipe, problems = read(value)
    if problems:
        raise BadInput(problems[0].sentence, where=problems[0].path)
    return recipe


def read(value: Mapping[str, Any]) -> tuple[Recipe, list[Problem]]:
    """The recipe from nested plain values, and a problem for each entry that could not be read."""
    problems: list[Problem] = []
    taken: dict[str, dict[str, Value]] = {"": {}}
    for name, entry in value.items():
        if name not in SECTIONS:
            _take("", name, entry, taken, problems)
        elif isinstance(entry, Mapping):
            for inner, inner_entry in entry.items():
                _take(str(name), inner, inner_entry, taken, problems)
        elif entry is not None:
            problems.append(
                Problem(str(name), f"{clean_line(str(name), 40)} is a section: it holds fields, not a single value.")
            )
    top: dict[str, Any] = {**taken.pop("")}
    for name, chosen in taken.items():
        top[name] = SECTIONS[name](**chosen)
    recipe = Recipe(**top)
    for path, default in TASKS[recipe.task].defaults.items():
        section, _, name = path.rpartition(".")
        if name not in (taken.get(section, {}) if section else top):
            recipe = put(recipe, path, default)
    return recipe, problems


def _take(
    section: str, name: object, entry: object, taken: dict[str, dict[str, Value]], problems: list[Problem]
) -> None:
    path = f"{section}.{name}" if section else str(name)
    declared = KNOBS.get(path)
    if declared is None:
        problems.append(Problem(clean_line(path, 80), unknown(path)))
        return
    outcome = declared.coerce(entry)
    if isinstance(outcome, Problem):
        problems.append(outcome)
    else:
        taken.setdefault(section, {})[declared.name] = outcome


def unknown(path: str, recipe: Recipe | None = None) -> str:
    """The sentence about a field that does not exist, with the closest one that does.

    Args:
        path: what was written.
        recipe: a hint at a field that would have no effect in it is left out.
    """
    return _unknown(path, tuple(known for known in KNOBS if recipe is None or is_shown(recipe, known)))


@cache
def _unknown(path: str, known: tuple[str, ...]) -> str:
    near = nearest_field(path, known) or next(iter(difflib.get_close_matches(path, [*known, *SECTIONS], n=1)), "")
    hint = f" Did you mean {near}?" if near else ""
    return f"Unknown field {clean_line(path, 80)}.{hint}"
