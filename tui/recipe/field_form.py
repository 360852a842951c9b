"""A declared field as a row of a form."""

from __future__ import annotations

from core.recipe.declare import Knob
from tui.widgets.form_field import FormField


def form_field(key: str, knob: Knob, *, folded: bool = False) -> FormField:
    """The row of a field.

    Args:
        key: the row's unique name.
        knob: the field.
        folded: whether it is hidden until all fields are shown.
    """
    if knob.kind == "switch":
        return FormField(key, knob.title, "choice", ("yes", "no"), unit=knob.unit, folded=folded)
    if knob.kind == "choice":
        choices, meanings = tuple(knob.choices), tuple(knob.choices.values())
        return FormField(key, knob.title, "choice", choices, meanings, unit=knob.unit, folded=folded)
    return FormField(
        key,
        knob.title,
        "short" if knob.kind in ("whole", "number") else "long",
        unit=knob.unit,
        folded=folded,
        complete=knob.kind == "path" or knob.paths or any(column.kind == "path" for column in knob.columns),
        tail=knob.kind == "path" or knob.paths,
        offers=knob.kind == "records" or knob.path == "model.path",
    )
