"""A menu of presets, each with its reason and what it would change."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.recipe.presets import Preset
from core.recipe.recipe import KNOBS, Recipe, get
from tui.actions import Command, declare
from tui.widgets.choice_menu import MenuOptions
from tui.widgets.key_bar import KeyBar


class PresetMenu(ModalScreen[Preset | None]):
    """Choose one with the arrows and enter; esc changes nothing."""

    DEFAULT_CSS = """
    PresetMenu { align: center middle; }
    PresetMenu > Vertical { width: 76; max-width: 100%; height: auto; max-height: 90%; }
    PresetMenu OptionList {
        height: auto; max-height: 100%; border: round $accent; border-title-color: $accent; background: $surface;
        scrollbar-size-vertical: 1;
    }
    PresetMenu OptionList:focus { border: round $accent; }
    PresetMenu OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    """

    BINDINGS = declare(
        "presets",
        Command("presets.cancel", "escape,f8", "dismiss(None)", "cancel", "Close without a change.", 2, shared="back"),
    )

    def __init__(self, presets: Sequence[Preset], recipe: Recipe) -> None:
        """Make the menu.

        Args:
            presets: what there is to choose.
            recipe: the present one, to say what would change.
        """
        super().__init__()
        self._presets = presets
        self._recipe = recipe

    def compose(self) -> ComposeResult:
        """One entry a preset."""
        menu = MenuOptions(*(Option(self._entry(preset)) for preset in self._presets))
        menu.border_title = "presets"
        with Vertical():
            yield menu
        yield KeyBar()

    def _entry(self, preset: Preset) -> Content:
        changes = [
            f"{KNOBS[path].title} {KNOBS[path].format(value)}"
            for path, value in preset.values.items()
            if get(self._recipe, path) != value
        ]
        described = f"→ {', '.join(changes)}" if changes else "→ no change: the recipe already has these values"
        return Content.assemble((preset.name, "bold"), f"\n{preset.reason}\n{described}\n")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._presets[event.option_index])
