"""The line about arguments: whether the installed trl, transformers and peft take every argument that a run gives them.

Nothing is imported that imports torch: the names that we pass are listed (`core.training.argument_names` writes them),
and those that the classes take are read off their source. The worker asks the classes themselves, before it loads the
model (`core.training.arguments`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from core.paths import ROOT
from core.recipe.adapters import adapter_of
from core.recipe.config_classes import PACKAGES, arguments_of, field_of, refused_words, stack
from core.recipe.recipe import KNOBS
from core.runs.preflight.line import PreflightFinding, ok, stop
from core.runs.preflight.seen import BeforeStart


def accepted(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether each argument is known where the training runs."""
    there = stack()
    if not all(name in there for name in PACKAGES):
        return  # the packages' own line says so
    recipe, refused, count = seen.recipe, 0, 0
    config, names = trainer_names(recipe.task)
    classes = [("trl", config, names)] if config else []
    if (adapter := adapter_of(recipe).peft_config(recipe)) is not None and not adapter.ours:
        classes.append(("peft", adapter.name, frozenset(adapter.arguments)))
    for package, name, given in classes:
        takes = arguments_of(package, name)
        count += len(given)
        for argument in [""] if takes is None else sorted(given - takes):
            refused += 1
            path = field_of(argument) if package == "trl" else _adapter_field(adapter_of(recipe).section, argument)
            words = refused_words(package, there[package].version, name, argument)
            yield stop(f"{words}.", path, "not in this version")
    if not refused:
        versions = [f"{name} {there[name].version}" for name in PACKAGES]
        yield ok(f"All {count} arguments are accepted by {', '.join(versions[:-1])} and {versions[-1]}.")


def _adapter_field(section: str, argument: str) -> str:
    """The field of an adapter's argument: its section has it under the same name, or its kind is to blame."""
    named = f"{section}.{argument}"
    return named if named in KNOBS else "method"


def trainer_names(task: str) -> tuple[str, frozenset[str]]:
    """The class of TRL that configures a task's trainer, and the names of the arguments that it is given.

    Args:
        task: its name.

    Returns:
        "" and nothing for a task that the list does not have.
    """
    found = _listed().get(task)
    return (found["config"], frozenset(found["arguments"])) if found else ("", frozenset())


@cache
def _listed() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "core" / "recipe" / "trainer_arguments.json").read_bytes())
    return found
