"""What `model.dtype: auto` comes to where every weight is trained: decided when a run starts, and kept in its recipe.

Float32 weights under 16-bit autocast keep the updates that pure bfloat16 loses, and need about twice the memory. So a
run gets them where their forecast is at most `ROOM` of the memory that is free; else pure bfloat16, once the user has
said yes to it. A resume, a retry and the queue find the answer in the recipe and never change it.
Not tested on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core import units
from core.errors import BadInput
from core.recipe import memory
from core.recipe.adapters import adapter_of
from core.recipe.devices import is_sharded
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe, put
from core.runs.placement import Placement

ROOM = 0.9
"""The share of the free memory that the forecast of float32 weights may take."""

FIELD = "model.dtype"

FLAG = "--pure-bf16"
"""How the command line says yes to pure bfloat16."""


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """What `auto` comes to.

    Attributes:
        dtype: the value of `model.dtype` that the run gets; "" where `auto` stays, as LoRA's does.
        level: `ok`, `warn` where the user must confirm, `stop` where it cannot be.
        sentence: what was decided and why; "" where there was nothing to decide.
    """

    dtype: str = ""
    level: Literal["ok", "warn", "stop"] = "ok"
    sentence: str = ""

    @property
    def confirm(self) -> bool:
        """Whether the user must say yes first."""
        return self.level == "warn"


class NotConfirmed(BadInput):
    """A run would train in pure bfloat16, and nobody has said yes to that."""

    def __init__(self, sentence: str) -> None:
        super().__init__(
            sentence.rstrip("."),
            where=FIELD,
            do=f"Confirm it with {FLAG}, set {FIELD} to bfloat16, or set the method to lora",
        )
        self.sentence = sentence


def choose_precision(
    recipe: Recipe, shape: ModelShape | None, place: Placement, *, later: bool = False
) -> PrecisionChoice:
    """What `auto` comes to for this recipe, here and now.

    Args:
        recipe: the recipe.
        shape: the model's; None while it is not known.
        place: where the run will compute.
        later: whether it will wait in a queue, so that what other runs hold now does not count.
    """
    if recipe.model.dtype != "auto" or not adapter_of(recipe).whole:
        return PrecisionChoice()
    if place.cpu:
        return PrecisionChoice("float32", sentence="Trains float32 weights on the CPU.")
    older = place.device == "cuda_fp16"
    dtype, cast = ("mixed_float16", "float16") if older else ("mixed_bfloat16", "bfloat16")
    masters = f"float32 weights with {cast} autocast"
    free = place.total if later else place.free
    if shape is None or free is None:
        why = "the model's size is not known yet" if shape is None else "the free GPU memory is unknown"
        return PrecisionChoice(dtype, sentence=f"Trains {masters}. Cannot check whether that fits: {why}.")
    need = memory.forecast(put(recipe, FIELD, dtype), shape, place.device).total
    kind = "in total" if later else "free"
    room = f"need about {units.gib(need)} of GPU memory, {units.gib(free)} {kind}"
    over = f"need about {units.gib(need)} of GPU memory, over {ROOM:.0%} of the {units.gib(free)} {kind}"
    if need <= ROOM * free:
        return PrecisionChoice(dtype, sentence=f"Trains {masters}: they {room}.")
    if older:
        return PrecisionChoice(
            dtype,
            "stop",
            f"This GPU has no bfloat16, and {masters} {over}. Set the method to lora, or use a smaller model.",
        )
    if is_sharded(recipe):  # FSDP makes weights that it trains float32 in any case
        return PrecisionChoice(dtype, sentence=f"Trains {masters}, as FSDP always does: they {room}.")
    pure = memory.forecast(put(recipe, FIELD, "bfloat16"), shape, place.device).total
    return PrecisionChoice(
        "bfloat16",
        "warn",
        f"Would train in pure bfloat16 ({units.gib(pure)}), where most small updates are rounded away: at a learning "
        f"rate of 1e-5, most weights never change. Float32 weights {over}. LoRA does not have this problem.",
    )


def precision_elsewhere(recipe: Recipe) -> PrecisionChoice:
    """What `auto` comes to for a run on another machine, whose GPUs cannot be asked."""
    if recipe.model.dtype != "auto" or not adapter_of(recipe).whole:
        return PrecisionChoice()
    if recipe.training.devices.strip().startswith("cpu"):
        return PrecisionChoice("float32", sentence="Trains float32 weights on the CPU.")
    words = "Trains float32 weights with bfloat16 autocast. Whether that fits the other machine cannot be checked here."
    return PrecisionChoice("mixed_bfloat16", sentence=words)


def with_precision(recipe: Recipe, choice: PrecisionChoice, *, pure_bf16: bool = False) -> Recipe:
    """The recipe with what `auto` comes to.

    Args:
        recipe: the recipe.
        choice: of `choose_precision`.
        pure_bf16: whether the user has said yes to pure bfloat16.

    Raises:
        NotConfirmed: that yes is needed.
    """
    if choice.confirm and not pure_bf16:
        raise NotConfirmed(choice.sentence)
    return put(recipe, FIELD, choice.dtype) if choice.dtype else recipe
