"""Completions of an online run: what the model wrote while it trained, and what the rewards gave for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from textual import work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from core.clean import clean, clean_line
from core.runs.completions import Completion, Generation, read_completions
from core.units import count, significant
from tui.actions import Command, declare
from tui.screens.base import StepScreen

_BRIEF = 400
"""Characters of a completion where all of a generation share the screen."""


class CompletionsScreen(StepScreen):
    """The question: what does the model do to get its reward?"""

    STEP = "train"
    SCOPE = "completions"
    CSS_PATH = "completions.tcss"
    BINDINGS = declare(
        "completions",
        Command("completions.previous", "left,h", "go(-1)", "step", "Go to the previous generation.", 1, "←→"),
        Command("completions.next", "right,l", "go(1)", "", "Go to the next generation."),
        Command(
            "completions.first",
            "home,g",
            "go(-1000000)",
            "",
            "Go to the oldest generation that was kept.",
            shared="first",
        ),
        Command("completions.last", "end,G", "go(1000000)", "", "Go to the newest generation.", shared="last"),
        Command("completions.sort", "s", "sort", "best/worst first", "Show the best or the worst first.", 2),
        Command("completions.full", "v", "full", "in full", "Show completions in full, or just the beginning.", 3),
        Command("completions.eval", "e", "held_out", "eval set", "Switch between training and eval prompts.", 4),
        Command("completions.samples", "c", "samples", "sample outputs", "Show the answers to the fixed prompts.", 6),
        Command("completions.scroll_down", "down,j,space,pagedown", "scroll(1)", "", "Scroll down.", shared="down"),
        Command("completions.scroll_up", "up,k,backspace,pageup", "scroll(-1)", "", "Scroll up.", shared="up"),
        Command("completions.back", "escape,t", "back", "back", "Back to the live screen.", 5, "esc", shared="back"),
    )

    def __init__(self, run: Path, other: Callable[[], None] = lambda: None) -> None:
        """Make the screen.

        Args:
            run: the run's folder.
            other: shows the other of completions and sample outputs, once this screen is left for it.
        """
        super().__init__()
        self._other = other
        self._run = run
        self._all: list[Generation] = []
        self._at = 0
        self._newest = True
        self._worst = self._full = self._of_eval = False

    def compose_body(self) -> Iterable[Widget]:
        """Which generation; its completions."""
        yield Static("", id="where", markup=False)
        with VerticalScroll(id="shown", can_focus=False):
            yield Static("", id="completions", markup=False)

    def on_mount(self) -> None:
        """Read now, and look for more while the run is running."""
        self._read()
        self.set_interval(2.0, self._read)

    @work(thread=True, exclusive=True, group="completions")
    def _read(self) -> None:
        found = read_completions(self._run)
        self.from_thread(self._take, found)

    def _take(self, found: list[Generation]) -> None:
        if found == self._all and found:
            return
        self._all = found
        self._show()
        self.refresh_bindings()

    # --- drawing

    @property
    def _shown(self) -> list[Generation]:
        return [each for each in self._all if each.held_out == self._of_eval]

    def _show(self) -> None:
        where, body = self.query_one("#where", Static), self.query_one("#completions", Static)
        shown = self._shown
        if not shown:
            where.update("No completions yet." if not self._of_eval else "No completions for the eval set yet.")
            body.update("")
            return
        self._at = len(shown) - 1 if self._newest else max(0, min(self._at, len(shown) - 1))
        here = shown[self._at]
        kept = here.completions[::-1] if self._worst else here.completions
        order = "worst first" if self._worst else "best first"
        prompts = "eval prompts, " if here.held_out else ""
        some = f"{count(len(kept))} of {count(here.of)}" if len(kept) < here.of else count(here.of)
        where.update(
            f"step {count(here.step)} ({self._at + 1} of {len(shown)} recorded), {prompts}{some} completions, {order}"
        )
        before: list[Completion | None] = [None, *kept[:-1]]
        body.update(Content("\n\n").join(map(self._one, kept, before)))

    def _one(self, one: Completion, before: Completion | None) -> Content:
        """One completion; its prompt and reference only where the one before has others."""
        scores = "  ".join(
            f"{clean_line(name, 40)} {'none' if score is None else significant(score)}"
            for name, score in one.scores.items()
        )
        parts = [
            Content.assemble(
                (f"{significant(one.reward):>7}  ", "bold $accent"),
                (f"{scores}  {count(one.tokens)} token{'s' * (one.tokens != 1)}", "$text-muted"),
            ),
        ]
        known = before is not None and (before.prompt, before.answer) == (one.prompt, one.answer)
        if not known:
            parts.append(Content.assemble(("prompt  ", "bold"), self._text(" ".join(one.prompt.split()))))
        if one.answer and not known:
            parts.append(Content.assemble(("reference  ", "$text-muted"), (self._text(one.answer), "$text-muted")))
        parts.append(Content.assemble(("completion  ", "bold"), self._text(one.text)))
        return Content("\n").join(parts)

    def _text(self, text: str) -> str:
        shown = clean(text if self._full else text[:_BRIEF]) or "(nothing)"
        if self._full or len(text) <= _BRIEF:
            return shown
        return f"{shown}… ({count(len(text) - _BRIEF)} more characters; v shows all)"

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Moving needs several generations."""
        if action == "go":
            return len(self._shown) > 1
        if action == "held_out":
            return any(each.held_out for each in self._all)
        return bool(self._shown) if action in ("sort", "full", "scroll") else True

    def action_go(self, by: int) -> None:
        """Another generation; at the newest one, later ones are shown as they come."""
        self._at = max(0, min(self._at + by, len(self._shown) - 1))
        self._newest = self._at == len(self._shown) - 1
        self._again()

    def action_sort(self) -> None:
        """The other end first."""
        self._worst = not self._worst
        self._again()

    def action_full(self) -> None:
        """All of each completion, or its beginning."""
        self._full = not self._full
        self._show()

    def action_held_out(self) -> None:
        """The other prompts."""
        self._of_eval, self._newest = not self._of_eval, True
        self._again()

    def _again(self) -> None:
        self.query_one("#shown", VerticalScroll).scroll_home(animate=False)
        self._show()
        self.refresh_bindings()

    def action_samples(self) -> None:
        """The answers to the prompts that stay the same."""
        self.dismiss()
        self._other()

    def action_scroll(self, direction: int) -> None:
        """Scroll the completions."""
        self.query_one("#shown", VerticalScroll).scroll_relative(y=direction * 3, animate=False)

    def action_back(self) -> None:
        """The live screen."""
        self.dismiss()
