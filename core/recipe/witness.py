"""Where the effect of a field can be read once the trainer is built; declared beside the field, read by the worker.

A field that was set and whose effect is not there stops the run before its first step (`core.training.effects`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

WitnessPlace = Literal["argument", "reading", "run loop"]

Wanted = Callable[["Recipe"], Any]
"""The value that should be found, computed from the recipe."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a field's effect is.

    Attributes:
        place: an `argument` of the trainer's configuration; a `reading` of the modules and tensors of the built
            trainer; or the `run loop`, where it has no effect before the first step.
        name: the argument's name; the function in `core.training.readings` or
            `adapter_readings`; or the module of the run loop that reads
            the field.
        wanted: what should be there; None where it is the field's own value.
        given: an attribute of the trainer that must be there for the field to have an effect at all, such as
            `eval_dataset`; "" for nothing.
    """

    place: WitnessPlace
    name: str
    wanted: Wanted | None = None
    given: str = ""


def argument(name: str, wanted: Wanted | None = None, *, given: str = "") -> Witness:
    """The trainer's configuration has this value under a name."""
    return Witness("argument", name, wanted, given)


def reading(name: str, wanted: Wanted | None = None, *, given: str = "") -> Witness:
    """A function of `core.training.readings` finds the value in the model or the trainer."""
    return Witness("reading", name, wanted, given)


def run_loop(module: str) -> Witness:
    """A module reads the field itself, before or during training."""
    return Witness("run loop", module)
