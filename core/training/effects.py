"""No setting without effect: each field that was set is looked up in the built trainer before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.declare import Knob
from core.recipe.recipe import KNOBS, Recipe, default_of, get, why_without_effect
from core.recipe.witness import Witness
from core.training import adapter_readings, readings


def check_effects(trainer: Any, recipe: Recipe) -> None:
    """Makes sure that each field that was set, and that applies, has reached the trainer.

    Args:
        trainer: as `core.training.build.build` gives it.
        recipe: that it was built from.

    Raises:
        BadInput: a field was set, and its effect is not where its witness says; it names the field.
    """
    for path, knob in KNOBS.items():
        if knob.witness is None or get(recipe, path) == default_of(recipe, path) or why_without_effect(recipe, path):
            continue
        if (found := missing(knob.witness, trainer, recipe, get(recipe, path))) is not None:
            raise BadInput(
                _words(knob, recipe, found), where=path, do=f"Remove {path} from the recipe to train without it"
            )


def missing(witness: Witness, trainer: Any, recipe: Recipe, value: Any) -> str | None:
    """What was found in place of a field's effect; None if the effect is there.

    Args:
        witness: of the field.
        trainer: the built trainer.
        recipe: that it was built from.
        value: of the field.
    """
    if witness.place == "run loop" or (witness.given and getattr(trainer, witness.given, None) is None):
        return None
    wanted = value if witness.wanted is None else witness.wanted(recipe)
    if witness.place == "argument":
        found = getattr(trainer.args, witness.name, None)
        return None if found == wanted else f"the trainer's {witness.name} is {_text(found)}"
    values = reader(witness.name)(trainer, recipe)
    if wanted in values:
        return None
    return f"the built model has {', '.join(sorted(map(_text, values)))}" if values else "nothing in the model has it"


def reader(name: str) -> Callable[[Any, Recipe], set[Any]]:
    """The function that a witness of the kind `reading` names.

    Raises:
        AttributeError: there is none.
    """
    found: Callable[[Any, Recipe], set[Any]] = getattr(adapter_readings, name, None) or getattr(readings, name)
    return found


def check_liger(model: Any) -> None:
    """Makes sure that liger's kernels are in a model: it passes over families that it has none for.

    Args:
        model: in training; the trainer puts the kernels in when it begins.

    Raises:
        BadInput: none of its modules computes with one.
    """
    forwards = (getattr(module.forward, "__func__", module.forward) for module in model.modules())
    if not any(getattr(each, "__module__", "").startswith("liger_kernel.") for each in forwards):
        raise BadInput(
            f"Liger has no kernels for {clean_line(str(model.config.model_type), 60)} models",
            where="training.liger",
            do="Set it to no",
        )


def _words(knob: Knob, recipe: Recipe, found: str) -> str:
    shown = clean_line(knob.format(get(recipe, knob.path)), 60)
    return f"{knob.title} is set to {shown} but has no effect: {found}"


def _text(value: Any) -> str:
    return clean_line(str(value), 60)
