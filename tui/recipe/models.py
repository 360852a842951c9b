"""The models that the Model field offers, each with what a person wants to know before choosing one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.clean import clean_line
from core.recipe.memory import forecast
from core.recipe.model_files import can_be_downloaded
from core.recipe.model_library import LocalModel
from core.recipe.recipe import Recipe, put
from core.units import count, gib, short_count
from tui.recipe.facts import Room
from tui.widgets.filter_menu import FilterItem

_ORIGINS = {"Hub cache": "in the Hub cache", "folder": "", "used before": "used before", "demo": "ships with tunedeck"}


def model_items(models: Sequence[LocalModel], recipe: Recipe, room: Room, workspace: Path) -> list[FilterItem]:
    """One entry for each model.

    Args:
        models: those on this machine.
        recipe: the present one: whether a model fits depends on its method, quantization, batch and length.
        room: where the run would be; without a GPU nothing is said about memory.
        workspace: folders inside it are named relative to it.
    """
    return [_item(model, recipe, room, workspace) for model in models]


def typed_model(text: str) -> FilterItem:
    """The entry for a model that is typed in."""
    folder = text.startswith(("/", "./", "../", "~")) or not can_be_downloaded(text)
    words = "Use this folder." if folder else "Use this Hub model ID. It is downloaded when the run starts."
    return FilterItem(text, clean_line(text, 400), words)


def models_note(models: Sequence[LocalModel], room: Room) -> str:
    """The sentence below the list."""
    words = [] if len(models) > 1 else ["No other models on this machine: type a Hub model ID (org/name) or a folder."]
    if room.device == "cpu":
        words.append("No GPU here, so there is no memory check.")
    elif room.free is not None:
        words.append(f"Memory is estimated for the current recipe; {gib(room.free)} free on {room.name}.")
    return " ".join(words)


def _item(model: LocalModel, recipe: Recipe, room: Room, workspace: Path) -> FilterItem:
    size = f"{short_count(model.parameters)} parameters" if model.parameters else ""
    said = [
        size,
        f"context {count(model.context)}" if model.context else "",
        f"license {model.license}" if model.license else "",
        _ORIGINS[model.origin],
        f"cannot be trained yet: {model.problem}" if model.problem else "",
    ]
    title = model.title
    if model.origin != "demo" and Path(model.path).is_relative_to(workspace):
        title = f"./{Path(model.path).relative_to(workspace)}"
    words = " · ".join(part for part in said if part)
    return FilterItem(model.path, clean_line(title, 400), words, _fit(model, recipe, room), model.origin)


def _fit(model: LocalModel, recipe: Recipe, room: Room) -> str:
    """Whether a run of the present recipe would fit with it: `fits, ~9.1 GiB`; "" where that is not known."""
    if model.shape is None or room.device == "cpu" or room.free is None:
        return ""
    need = forecast(put(recipe, "model.path", model.path), model.shape, room.device).total
    return f"fits, ~{gib(need)}" if need <= room.free else f"does not fit, ~{gib(need)}"
