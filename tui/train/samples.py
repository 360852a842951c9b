"""Sample outputs: what the model in training answers, step by step, to prompts that stay the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from textual import work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from core.clean import clean, clean_line
from core.runs.completions import has_completions
from core.runs.sampled import Round, Sampled, read_rounds
from core.units import count
from tui.actions import Command, declare
from tui.screens.base import StepScreen

_LONGEST = 100_000
"""Characters of a question or an answer that are shown where one prompt is."""

_BRIEF, _BRIEF_ANSWER = 240, 600
"""Characters of a question or reference, and of an answer, where all prompts share the screen."""


class SamplesScreen(StepScreen):
    """The question: what has it learned so far, in its own words?"""

    STEP = "train"
    SCOPE = "samples"
    CSS_PATH = "samples.tcss"
    BINDINGS = declare(
        "samples",
        Command("samples.previous_step", "left,h", "go(-1)", "step", "Go to the previous step.", 1, "←→"),
        Command("samples.next_step", "right,l", "go(1)", "", "Go to the next step."),
        Command(
            "samples.first_step",
            "home,g",
            "go(-1000000)",
            "",
            "Go to the first step: the base model's answers.",
            shared="first",
        ),
        Command("samples.last_step", "end,G", "go(1000000)", "", "Go to the newest step.", shared="last"),
        Command(
            "samples.toggle_view",
            "v",
            "turn",
            "by step/prompt",
            "Switch between all prompts at one step and one prompt at all steps.",
            2,
        ),
        Command(
            "samples.next_prompt",
            "tab",
            "prompt(1)",
            "next prompt",
            "Show the next prompt (in the view of one prompt).",
            4,
        ),
        Command(
            "samples.toggle_reference",
            "r",
            "reference",
            "reference",
            "Show or hide the reference answers from the dataset.",
            5,
        ),
        Command(
            "samples.completions",
            "c",
            "completions",
            "completions",
            "Show what an online run (grpo, rloo) generated, with the scores.",
            6,
        ),
        Command("samples.scroll_down", "down,j,space,pagedown", "scroll(1)", "", "Scroll down.", shared="down"),
        Command("samples.scroll_up", "up,k,backspace,pageup", "scroll(-1)", "", "Scroll up.", shared="up"),
        Command("samples.back", "escape,t", "back", "back", "Back to the live screen.", 3, "esc", shared="back"),
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
        self._rounds: list[Round] = []
        self._at = 0
        self._newest = True
        self._prompt: int | None = None
        self._before = 0
        self._with_reference = True

    def compose_body(self) -> Iterable[Widget]:
        """Which step; the prompts with their answers."""
        yield Static("", id="where", markup=False)
        with VerticalScroll(id="shown", can_focus=False):
            yield Static("", id="answers", markup=False)

    def on_mount(self) -> None:
        """Read now, and look for more while the run is running."""
        self._read()
        self.set_interval(2.0, self._read)

    @work(thread=True, exclusive=True, group="samples")
    def _read(self) -> None:
        rounds = read_rounds(self._run)
        self.from_thread(self._take, rounds)

    def _take(self, rounds: list[Round]) -> None:
        if rounds == self._rounds and rounds:
            return
        self._rounds = rounds
        self._at = len(rounds) - 1 if self._newest else min(self._at, len(rounds) - 1)
        self._show()
        self.refresh_bindings()

    # --- drawing

    def _show(self) -> None:
        where, answers = self.query_one("#where", Static), self.query_one("#answers", Static)
        if not self._rounds:
            where.update(
                "No sample outputs yet. Set how often they are made with samples.every on Recipe (2); 0 is off."
            )
            answers.update("")
            return
        if self._prompt is None:
            here = self._rounds[self._at]
            words = "base model, before the first step" if here.step == 0 else f"step {count(here.step)}"
            where.update(f"{words}   (round {self._at + 1} of {len(self._rounds)})")
            answers.update(Content("\n\n").join(self._one(sample, n) for n, sample in enumerate(here.samples, 1)))
        else:
            label = f"prompt {self._prompt + 1} of {self._prompts}, at all steps"
            where.update(label)
            answers.update(self._at_all_steps(self._prompt))

    def _one(self, sample: Sampled, number: int) -> Content:
        """A prompt among the others: a long question must not push the next answers pages down."""
        parts = [
            self._question(sample, number, _BRIEF),
            self._reference(sample, _BRIEF),
            _answer("answer", sample, _BRIEF_ANSWER),
        ]
        return Content("\n").join(part for part in parts if part)

    def _at_all_steps(self, number: int) -> Content:
        found = [(here.step, here.samples[number]) for here in self._rounds if number < len(here.samples)]
        parts = [self._question(found[0][1], number + 1), self._reference(found[0][1])]
        parts += [_answer("base" if step == 0 else f"step {count(step)}", sample) for step, sample in found]
        return Content("\n").join(part for part in parts if part)

    def _question(self, sample: Sampled, number: int, longest: int = _LONGEST) -> Content:
        role, text = sample.prompt[-1] if sample.prompt else ("user", "")
        earlier = [clean_line(turn, 20) for turn, _ in sample.prompt[:-1]]
        after = f" (after {earlier[0] if len(earlier) == 1 else f'{len(earlier)} turns'})" if earlier else ""
        return Content.assemble((f"{number}  {clean_line(role, 20)}{after}  ", "bold"), _cut(text, longest))

    def _reference(self, sample: Sampled, longest: int = _LONGEST) -> Content:
        if not self._with_reference or not sample.reference:
            return Content("")
        return Content.assemble(("reference  ", "$text-muted"), (_cut(sample.reference, longest), "$text-muted"))

    @property
    def _prompts(self) -> int:
        return max((len(here.samples) for here in self._rounds), default=0)

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Moving needs answers."""
        if action == "completions":
            return has_completions(self._run)
        if action == "go":
            return self._prompt is None and len(self._rounds) > 1
        if action == "prompt":
            return self._prompt is not None and self._prompts > 1
        return bool(self._rounds) if action in ("turn", "reference", "scroll") else True

    def action_go(self, by: int) -> None:
        """Another step; at the newest one, later ones are shown as they come."""
        self._at = max(0, min(self._at + by, len(self._rounds) - 1))
        self._newest = self._at == len(self._rounds) - 1
        self._show()

    def action_turn(self) -> None:
        """By prompt, or by step again."""
        self._prompt, self._before = (self._before, 0) if self._prompt is None else (None, self._prompt)
        self.query_one("#shown", VerticalScroll).scroll_home(animate=False)
        self._show()
        self.refresh_bindings()

    def action_prompt(self, by: int) -> None:
        """Another prompt, round the end."""
        if self._prompt is not None:
            self._prompt = (self._prompt + by) % self._prompts
            self._show()

    def action_completions(self) -> None:
        """What an online run has generated and scored."""
        self.dismiss()
        self._other()

    def action_reference(self) -> None:
        """Show or hide the reference answers from the dataset."""
        self._with_reference = not self._with_reference
        self._show()

    def action_scroll(self, direction: int) -> None:
        """Scroll the answers."""
        self.query_one("#shown", VerticalScroll).scroll_relative(y=direction * 3, animate=False)

    def action_back(self) -> None:
        """The live screen."""
        self.dismiss()


def _answer(title: str, sample: Sampled, longest: int = _LONGEST) -> Content:
    cut = "" if sample.ended else "  (cut off: no end of turn)"
    return Content.assemble((f"{title}  ", "bold $accent"), _cut(sample.answer, longest), (cut, "$text-warning"))


def _cut(text: str, longest: int) -> str:
    shown = clean(text[:longest]) or "(nothing)"
    if len(text) <= longest:
        return shown
    way = "" if longest == _LONGEST else "; v shows one prompt in full"
    return f"{shown}… ({count(len(text) - longest)} more characters{way})"
