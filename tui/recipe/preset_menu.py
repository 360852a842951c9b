"""A menu of presets: what each is for, why, which score to watch, where it is from, and what it would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.clean import clean_line
from core.recipe.presets import Preset
from core.recipe.recipe import KNOBS, Recipe
from tui.actions import Command, declare
from tui.widgets.choice_menu import MenuOptions
from tui.widgets.key_bar import KeyBar


@dataclass(frozen=True, slots=True)
class PresetChoice:
    """What was chosen.

    Attributes:
        preset: the preset.
        example: whether it is to be tried on its example.
    """

    preset: Preset
    example: bool = False


class PresetMenu(ModalScreen[PresetChoice | None]):
    """Choose one with the arrows and enter, or try it on its example; esc changes nothing."""

    DEFAULT_CSS = """
    PresetMenu { align: center middle; }
    PresetMenu > Vertical { width: 100; max-width: 100%; height: 90%; background: $surface; }
    PresetMenu OptionList {
        height: auto; max-height: 60%; border: round $accent; border-title-color: $accent; background: $surface;
        scrollbar-size-vertical: 1; text-wrap: nowrap; text-overflow: ellipsis;
    }
    PresetMenu OptionList:focus { border: round $accent; }
    PresetMenu OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    PresetMenu #about {
        height: 1fr; border: round $border; border-title-color: $foreground; padding: 0 1; scrollbar-size-vertical: 1;
    }
    PresetMenu #about > Static { height: auto; }
    """

    BINDINGS = declare(
        "presets",
        Command("presets.cancel", "escape,f8", "dismiss(None)", "cancel", "Close without a change.", 3, shared="back"),
        Command(
            "presets.example",
            "e",
            "example",
            "try its example",
            "Apply this preset with its 20-row example, and the tiny base model if none is chosen.",
            2,
        ),
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
        """The list, and what is known of the marked one."""
        menu = MenuOptions(*(Option(self._entry(preset)) for preset in self._presets))
        menu.border_title = "presets"
        with Vertical():
            yield menu
            with VerticalScroll(id="about", can_focus=False):
                yield Static("", markup=False)
        yield KeyBar()

    def _entry(self, preset: Preset) -> Content:
        width = max(len(each.name) for each in self._presets) + 2
        return Content.assemble((preset.name.ljust(width), "bold"), preset.use)

    @on(OptionList.OptionHighlighted)
    def _marked(self, event: OptionList.OptionHighlighted) -> None:
        preset = self._presets[event.option_index]
        box = self.query_one("#about", VerticalScroll)
        box.border_title = Content(preset.name)
        box.query_one(Static).update(about(preset, self._recipe))
        box.scroll_to(y=0, animate=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(PresetChoice(self._presets[event.option_index]))

    def action_example(self) -> None:
        """Try the marked preset on its example."""
        at = self.query_one(OptionList).highlighted
        if at is not None:
            self.dismiss(PresetChoice(self._presets[at], example=True))


def about(preset: Preset, recipe: Recipe) -> Content:
    """Everything about a preset: use, reason, score, source, and each field that it would change."""
    lines = [
        Content(preset.use),
        Content(preset.reason),
        Content.assemble(("watch   ", "bold"), preset.watch),
        Content.assemble(("source  ", "bold"), (preset.source, "$text-muted")),
        Content.assemble(("example ", "bold"), (f"{preset.example}.jsonl, 20 rows", "$text-muted")),
    ]
    changes = preset.changes(recipe)
    lines.append(
        Content.styled(
            f"changes {len(changes)} field{'s' * (len(changes) != 1)}:" if changes else "changes nothing", "bold"
        )
    )
    for path, now, then in changes:
        knob = KNOBS[path]
        shown = [clean_line(knob.format(value), 40) or "(empty)" for value in (now, then)]
        lines.append(Content.assemble(f"  {knob.title}  ", (shown[0], "$text-muted"), " → ", (shown[1], "bold")))
    return Content("\n").join(lines)
