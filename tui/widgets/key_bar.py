"""The footer line: the keys that work now."""

from __future__ import annotations

from dataclasses import replace

from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from tui.actions import Command, by_id


def _all(_: Command) -> bool:
    """What a dialog offers."""
    return True


class KeyBar(Widget):
    """One line of keys, made from the registry and from what the screen says works at this moment."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    _spans: list[tuple[int, int, Command]]

    def on_mount(self) -> None:
        """Redraw when the set of working keys changes."""
        self._spans = []
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def _bindings_updated(self, _: Screen[object]) -> None:
        self.refresh()

    def working(self) -> list[Command]:
        """The commands for the footer that would work if pressed now, by rank."""
        known = by_id()
        offers = getattr(self.screen, "offers", _all)
        keys: dict[str, list[str]] = {}
        for key, active in self.screen.active_bindings.items():
            if active.enabled and active.binding.id in known and offers(known[active.binding.id]):
                keys.setdefault(active.binding.id, []).append(key)
        found = [replace(known[id], shows=known[id].shown_with(keys[id])) for id in keys if known[id].footer]
        return sorted(found, key=lambda command: command.footer)

    def render(self) -> Content:
        """As many keys as fit, by rank; the last two places belong to help and quit."""
        parts: list[tuple[str, str]] = []
        self._spans = []
        used = 0
        commands = self.working()
        reserve = sum(len(c.shown_key) + len(c.label) + 4 for c in commands if c.footer >= 90)
        for command in commands:
            text_key, text_label = f" {command.shown_key}", f" {command.label}  "
            length = len(text_key) + len(text_label)
            limit = self.size.width - (reserve if command.footer < 90 else 0)
            if used + length - 2 > limit:
                continue
            parts.extend([(text_key, "bold $accent"), (text_label, "")])
            self._spans.append((used, used + length, command))
            used += length
        return Content.assemble(*parts)

    async def on_click(self, event: Click) -> None:
        """A click on a key does what the key does."""
        for start, end, command in self._spans:
            if start <= event.x < end:
                for active in self.screen.active_bindings.values():
                    if active.binding.id == command.id:
                        await self.app.run_action(active.binding.action, active.node)
                        return
