"""The fence: every private name of Textual that this package uses, and whether this Textual has it as we know it.

The names are private, so any release may rename them. They are checked once, at import; a part of the layer of which
one name is missing is turned off, and Textual does the work its own way: more bytes, more CPU time, the same
screens. `TUNEDECK_PLAIN=1` turns off every part. A new private name gets a row in `PRIVATE`, and the code that uses
it runs only where `holds(part)`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from inspect import CO_VARARGS, CO_VARKEYWORDS
from typing import Any


class Part(Enum):
    """A part of the layer; the value says what happens without it."""

    DRIVER = "Textual's own thread reads the keys: it wakes ten times a second"
    FRAMES = "every frame is sent as Textual draws it: more bytes"
    COMPOSITOR = "every widget within the rectangle around all changes is rendered: more CPU time"
    PROMPT = "changes wait for Textual's timer and may arrive as several updates"
    RING = "the end of a run rings the bell, with no desktop notification"


NEEDS = {Part.COMPOSITOR: (Part.FRAMES,)}
"""Parts that work only beside others."""

ATTRIBUTE = "an attribute"
"""Shape of what `__init__` sets, where nothing more is known of it."""

PROPERTY = "a property"


@dataclass(frozen=True, slots=True)
class Private:
    """A private name, or a name of a private class.

    Attributes:
        part: the part of the layer that uses it.
        owner: the class, as `module:class`.
        name: of the method or attribute.
        shape: the parameters of a method, as `(self, crop)`; of an attribute the name of its type, `ATTRIBUTE` or
            `PROPERTY`.
    """

    part: Part
    owner: str
    name: str
    shape: str

    def __str__(self) -> str:
        return f"{self.owner.replace(':', '.')}.{self.name}"


_APP, _SCREEN, _WIDGET = "textual.app:App", "textual.screen:Screen", "textual.widget:Widget"
_COMPOSITOR, _CHOPS = "textual._compositor:Compositor", "textual._compositor:ChopsUpdate"
_LAYOUT = "textual._compositor:LayoutUpdate"
_PARSER = "textual._xterm_parser:XTermParser"

PRIVATE = (
    Private(Part.DRIVER, _PARSER, "__init__", "(self, debug)"),
    Private(Part.DRIVER, _PARSER, "feed", "(self, data)"),
    Private(Part.DRIVER, _PARSER, "tick", "(self)"),
    Private(Part.FRAMES, _APP, "_display", "(self, screen, renderable)"),
    Private(Part.FRAMES, _APP, "_batch_count", ATTRIBUTE),
    Private(Part.FRAMES, "textual._compositor:CompositorUpdate", "render_segments", "(self, console)"),
    Private(Part.FRAMES, _CHOPS, "__init__", "(self, chops, spans, chop_ends)"),
    Private(Part.FRAMES, _CHOPS, "chops", ATTRIBUTE),
    Private(Part.FRAMES, _CHOPS, "spans", ATTRIBUTE),
    Private(Part.FRAMES, _LAYOUT, "__init__", "(self, strips, region)"),
    Private(Part.FRAMES, _LAYOUT, "strips", ATTRIBUTE),
    Private(Part.FRAMES, _LAYOUT, "region", ATTRIBUTE),
    Private(Part.COMPOSITOR, _SCREEN, "_compositor", "Compositor"),
    Private(Part.COMPOSITOR, _COMPOSITOR, "render_partial_update", "(self)"),
    Private(Part.COMPOSITOR, _COMPOSITOR, "_get_renders", "(self, crop)"),
    Private(Part.COMPOSITOR, _COMPOSITOR, "_dirty_regions", "set"),
    Private(Part.COMPOSITOR, _COMPOSITOR, "visible_widgets", PROPERTY),
    Private(Part.PROMPT, _WIDGET, "_layout_cache", "dict"),
    Private(Part.PROMPT, _WIDGET, "_rich_style_cache", "dict"),
    Private(Part.PROMPT, _WIDGET, "_set_dirty", "(self, *regions)"),
    Private(Part.PROMPT, _SCREEN, "_dirty_widgets", "set"),
    Private(Part.PROMPT, _SCREEN, "_layout_required", "bool"),
    Private(Part.PROMPT, _SCREEN, "_scroll_required", "bool"),
    Private(Part.PROMPT, _SCREEN, "_repaint_required", "bool"),
    Private(Part.PROMPT, _SCREEN, "_recompose_required", "bool"),
    Private(Part.PROMPT, _SCREEN, "_compositor", "Compositor"),
    Private(Part.PROMPT, _SCREEN, "_compositor_refresh", "(self)"),
    Private(Part.PROMPT, _COMPOSITOR, "update_widgets", "(self, widgets)"),
    Private(Part.PROMPT, _APP, "_batch_count", ATTRIBUTE),
    Private(Part.RING, _APP, "_driver", ATTRIBUTE),
)


def faults(names: Iterable[Private] = PRIVATE) -> dict[Private, str]:
    """The names that this Textual does not have as we know them, each with a sentence that says what is different."""
    samples: dict[str, Any] = {}
    found = {}
    for name in names:
        try:
            is_shape = _shape(name, samples)
        except Exception as error:  # whatever a later Textual does there, it must not end the program
            is_shape = f"not as expected ({type(error).__name__}: {error})"
        if is_shape != name.shape:
            found[name] = f"{name} is {is_shape}, not {name.shape}. Without it, {name.part.value}."
    return found


def _shape(private: Private, samples: dict[str, Any]) -> str:
    """The shape that a name has.

    Args:
        private: the name.
        samples: an instance for each class of which one was needed; filled here.
    """
    module, _, name = private.owner.partition(":")
    owner = getattr(import_module(module), name, None)
    if owner is None:
        return "gone with its class"
    if private.shape == ATTRIBUTE:  # an app cannot be made only to look at it
        return ATTRIBUTE if private.name in owner.__init__.__code__.co_names else "gone"
    if private.shape.startswith("("):
        method = getattr(owner, private.name, None)
        return _parameters(method) if callable(method) else "gone"
    if private.shape == PROPERTY:
        return PROPERTY if isinstance(getattr(owner, private.name, None), property) else "gone"
    if private.owner not in samples:
        samples[private.owner] = owner()
    sample = samples[private.owner]
    return type(getattr(sample, private.name)).__name__ if hasattr(sample, private.name) else "gone"


def _parameters(method: Any) -> str:
    """The parameters of a method, as in `(self, *regions)`."""
    code = method.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names = list(code.co_varnames[:count])
    names += [f"{stars}{name}" for stars, name in zip(_stars(code.co_flags), code.co_varnames[count:], strict=False)]
    return f"({', '.join(names)})"


def _stars(flags: int) -> Iterable[str]:
    """What stands before the names of further arguments that a function takes."""
    return (["*"] if flags & CO_VARARGS else []) + (["**"] if flags & CO_VARKEYWORDS else [])


PLAIN = os.environ.get("TUNEDECK_PLAIN", "") not in ("", "0")
"""Whether the user wants Textual alone."""

FAULTS = {} if PLAIN else faults()
"""What is different in this Textual."""

_OFF = frozenset(Part) if PLAIN else frozenset(private.part for private in FAULTS)


def holds(part: Part) -> bool:
    """Whether a part of the layer can be used."""
    return not _OFF.intersection((part, *NEEDS.get(part, ())))
