"""A widget's own keys, done at once.

A key that is bound to an action first travels up to the app, while a character is taken where it arrives. Of keys typed
ahead over a slow line, a character would so overtake the arrow before it, and land in the wrong place.
"""

from __future__ import annotations

from textual.widget import Widget


async def obey(widget: Widget, key: str) -> bool:
    """Do what a widget itself has bound to a key; False where it has bound nothing that works now.

    Args:
        widget: the widget.
        key: Textual's name for the key.
    """
    for binding in widget._bindings.key_to_bindings.get(key, ()):
        if await widget.app.run_action(binding.action, widget):
            return True
    return False
