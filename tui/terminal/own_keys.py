"""A widget's own keys, handled immediately.

A key that is bound to an action first travels up to the app, while a character is handled where it arrives. When keys
are typed ahead over a slow line, a character would overtake the arrow before it and land in the wrong place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from textual.binding import Binding, BindingsMap, Keymap
from textual.widget import Widget


def own_bindings(widget: Widget) -> BindingsMap:
    """What a widget itself has bound, under the keys that the user has chosen."""
    chosen: Keymap = getattr(widget.app, "keymap", {})
    return _bindings(type(widget), tuple(chosen.items()))


@lru_cache(maxsize=32)
def _bindings(widget: type[Widget], keymap: tuple[tuple[str, str], ...]) -> BindingsMap:
    """What a class of widgets declares, under the keys of a keymap; a class that is nearer has a key to itself."""
    chosen, keys = dict(keymap), dict[str, list[Binding]]()
    for owner in reversed(widget.__mro__):
        declared = [
            replace(each, key=chosen.get(each.id or "", each.key)) if isinstance(each, Binding) else each
            for each in vars(owner).get("BINDINGS", ())
        ]
        keys.update(BindingsMap(declared).key_to_bindings)
    return BindingsMap.from_keys(keys)


def commands_on(widget: Widget, key: str) -> list[str]:
    """The ids of the commands that a widget itself has bound to a key, whether or not they work now."""
    return [binding.id for binding in own_bindings(widget).key_to_bindings.get(key, ()) if binding.id]


async def obey(widget: Widget, key: str) -> bool:
    """Do what a widget itself has bound to a key; False where it has bound nothing that works now.

    Args:
        widget: the widget.
        key: Textual's name for the key.
    """
    for binding in own_bindings(widget).key_to_bindings.get(key, ()):
        if await widget.app.run_action(binding.action, widget):
            return True
    return False
