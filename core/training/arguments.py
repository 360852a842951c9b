"""Whether the installed trl and peft take what a run will give them: asked of the classes, before a model is loaded."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core.engine.load import Hardware
from core.errors import BadInput
from core.recipe.adapters import adapter_of
from core.recipe.config_classes import field_of, refused_words
from core.recipe.recipe import Recipe
from core.training.configuration import config_class, trainer_arguments
from core.training.tasks import training_of


def refuse_arguments(recipe: Recipe, on: Hardware) -> None:
    """Stops a run that a configuration class would refuse after minutes of loading.

    Raises:
        BadInput: names the first argument that is not taken, the installed version and the field.
    """
    config = training_of(recipe).config
    given = trainer_arguments(recipe, on, Path("checkpoints"), evaluates=True)
    _check("trl", getattr(config, "__name__", "the configuration"), config, given, "")
    plain = adapter_of(recipe).peft_config(recipe)
    if plain is not None:
        _check("peft", plain.name, config_class(plain.name), dict(plain.arguments), "method")


def _check(package: str, name: str, config: Callable[..., Any] | None, given: dict[str, Any], field: str) -> None:
    unknown = [""] if config is None else sorted(given.keys() - _taken(config))
    for argument in unknown:
        words = refused_words(package, version(package), name, argument)
        what, _, do = words.partition(". ")
        raise BadInput(what, where=field or field_of(argument), do=do)


def _taken(config: Callable[..., Any]) -> set[str]:
    if isinstance(config, type) and dataclasses.is_dataclass(config):
        return {each.name for each in dataclasses.fields(config) if each.init}
    return set(inspect.signature(config).parameters)
