"""Before the form: six questions, what the dataset shows, and whether to fine-tune at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from core.clean import clean_line
from core.errors import TunedeckError
from core.recipe.recipe import Recipe
from core.runs.advice.advise import HEADLINES, AdviceOutcome, advise
from core.runs.advice.evidence import Evidence
from core.runs.advice.kept import keep
from core.runs.advice.questions import QUESTIONS, Answers, answered
from core.runs.advice.words import dataset_words
from tui.actions import Command, declare
from tui.widgets.choice_menu import MenuOptions
from tui.widgets.key_bar import KeyBar
from tui.widgets.wrap import wrap

_LEAST = 20
"""Cells below which the advice is not wrapped narrower."""

_MARKS = {"for": ("+ ", "$success"), "against": ("- ", "$warning"), "note": ("· ", "$text-muted")}


class EvidenceRead(Message):
    """The dataset has been counted, or could not be.

    Attributes:
        evidence: the numbers, None where there are none.
        words: why not, or what is being done; a sentence.
    """

    def __init__(self, evidence: Evidence | None, words: str = "") -> None:
        self.evidence = evidence
        self.words = words
        super().__init__()


class AdvicePage(ModalScreen[None]):
    """Arrows and enter answer; esc goes to the form and keeps the answers."""

    DEFAULT_CSS = """
    AdvicePage > #advice { layout: vertical; height: 1fr; background: $background; }
    AdvicePage OptionList, AdvicePage #outcome {
        border: round $border; border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        padding: 0 1; scrollbar-size-vertical: 1;
    }
    AdvicePage OptionList { height: 1fr; }
    AdvicePage OptionList:focus { border: round $accent; }
    AdvicePage OptionList > .option-list--option-disabled { color: $foreground; text-style: bold; }
    AdvicePage OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    AdvicePage #outcome { height: 9; }
    AdvicePage #outcome > Static { height: auto; }
    AdvicePage.-wide > #advice { layout: horizontal; }
    AdvicePage.-wide OptionList { width: 11fr; }
    AdvicePage.-wide #outcome { width: 9fr; height: 1fr; }
    """

    BINDINGS = declare(
        "advice",
        Command("advice.pick", "space", "pick", "", "Choose or clear this answer."),
        Command("advice.next", "tab", "next(1)", "next question", "Go to the next question.", 3),
        Command("advice.previous", "shift+tab", "next(-1)", "", "Go to the previous question."),
        Command("advice.scroll_down", "shift+down,ctrl+down", "scroll(1)", "", "Scroll the advice down."),
        Command("advice.scroll_up", "shift+up,ctrl+up", "scroll(-1)", "", "Scroll the advice up."),
        Command("advice.close", "escape", "dismiss(None)", "to the form", "Go to the form.", 2, shared="back"),
    )

    def __init__(self, workspace: Path, recipe: Recipe, answers: Answers) -> None:
        """Make the page.

        Args:
            workspace: where answers are kept and earlier runs lie.
            recipe: names the dataset; without one, nothing is counted.
            answers: those given earlier.
        """
        super().__init__()
        self._workspace, self._recipe = workspace, recipe
        self._answers = answers
        self._evidence: Evidence | None = None
        self._words = "Counting samples, duplicates and leaks …" if recipe.data.train else "No dataset is open."

    def compose(self) -> ComposeResult:
        """The questions beside the advice, or above it."""
        with Container(id="advice"):
            questions = MenuOptions(*self._options(), markup=False)
            questions.border_title = "should you fine-tune?"
            questions.border_subtitle = "esc skips"
            yield questions
            with VerticalScroll(id="outcome", can_focus=False):
                yield Static("", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Count the dataset in a thread."""
        self._show()
        self.query_one(OptionList).focus()
        if self._recipe.data.train:
            self._count()

    def on_resize(self) -> None:
        """Two columns where there is room; the advice is wrapped again."""
        self.set_class(self.app.size.width >= 100, "-wide")
        self.call_after_refresh(self._show)

    def on_unmount(self) -> None:
        """Keep the answers."""
        keep(self._workspace, self._answers)

    # -- questions

    def _options(self) -> list[Option]:
        found: list[Option] = []
        for number, (key, question) in enumerate(QUESTIONS.items(), 1):
            lead = "" if number == 1 else "\n"
            found.append(Option(f"{lead}{number}  {question.title}", id=key, disabled=True))
            found += [Option(self._choice(key, choice), id=f"{key}:{choice}") for choice in question.choices if choice]
        return found

    def _choice(self, key: str, choice: str) -> Content:
        question = QUESTIONS[key]
        several = question.kind == "list"
        picked = choice in self._given(key)
        mark = ("[x]" if picked else "[ ]") if several else ("(x)" if picked else "( )")
        words = question.choices[choice].replace("\n", " ")
        return Content.assemble((f"   {mark} ", "bold" if picked else ""), (words, "bold" if picked else ""))

    def _given(self, key: str) -> tuple[str, ...]:
        value: str | tuple[str, ...] = getattr(self._answers, key)
        return value if isinstance(value, tuple) else (value,)

    def action_pick(self) -> None:
        """Choose the answer under the cursor; after a question with one answer, go to the next."""
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key, _, choice = (event.option_id or "").partition(":")
        if not choice:
            return
        self._answers = answered(self._answers, key, choice)
        for each in QUESTIONS[key].choices:
            if each:
                event.option_list.replace_option_prompt(f"{key}:{each}", self._choice(key, each))
        if QUESTIONS[key].kind != "list" and choice in self._given(key) and key != list(QUESTIONS)[-1]:
            self.action_next(1)
        self._show()

    def action_next(self, step: int) -> None:
        """Go to the first answer of the next or the previous question."""
        options = self.query_one(OptionList)
        first: dict[str, int] = {}  # of each question that has answers
        for index in range(options.option_count):
            key, _, choice = (options.get_option_at_index(index).id or "").partition(":")
            if choice:
                first.setdefault(key, index)
        keys = list(first)
        here = keys[0]
        if options.highlighted is not None:
            here = (options.get_option_at_index(options.highlighted).id or here).partition(":")[0]
        options.highlighted = first[keys[min(max(keys.index(here) + step, 0), len(keys) - 1)]]
        options.scroll_to_highlight()

    def action_scroll(self, pages: int) -> None:
        """Scroll the advice by pages, of which one line stays."""
        box = self.query_one("#outcome", VerticalScroll)
        box.scroll_relative(y=pages * max(box.scrollable_content_region.height - 1, 1), animate=False)

    # -- the dataset

    @work(thread=True, exclusive=True, group="evidence")
    def _count(self) -> None:
        from core.dataset.scan.scan import ScanStopped
        from core.dataset.view.overview import overview_of
        from core.recipe.mapped import with_mapping
        from core.runs.advice.evidence import baseline_of, evidence_of
        from core.runs.view_job import view_of

        worker = get_current_worker()
        recipe = with_mapping(self._recipe, self._workspace)
        try:
            view = view_of(recipe, self._workspace, lambda *_: None, lambda: worker.is_cancelled)
            found = evidence_of(view, overview_of(view), baseline_of(self._workspace, recipe.data.train))
        except ScanStopped:
            return
        except TunedeckError as fault:
            self.post_message(EvidenceRead(None, f"Could not count the dataset: {fault}"))
            return
        self.post_message(EvidenceRead(found))

    @on(EvidenceRead)
    def _counted(self, event: EvidenceRead) -> None:
        self._evidence, self._words = event.evidence, event.words
        if event.evidence is not None:
            self._answer_by_count(event.evidence.usable)
        self._show()

    def _answer_by_count(self, samples: int) -> None:
        """The dataset answers how many samples there are."""
        options, key = self.query_one(OptionList), "samples"
        question = QUESTIONS[key]
        here = options.highlighted
        options.replace_option_prompt(key, f"\n{len(QUESTIONS)}  {question.title} {samples:,} counted.")
        for choice in filter(None, question.choices):
            options.remove_option(f"{key}:{choice}")
        if here is not None and here >= options.option_count:
            self.action_next(0)

    # -- the advice

    def _show(self) -> None:
        outcome = advise(self._answers, self._evidence)
        box = self.query_one("#outcome", VerticalScroll)
        box.border_title = Content("advice" if self._answers.given else "advice: answer a question")
        width = box.scrollable_content_region.width - 1
        box.query_one(Static).update(Content("\n").join(self._lines(outcome, max(width, _LEAST))))
        self.call_after_refresh(self._name_key)

    def _name_key(self) -> None:
        box = self.query_one("#outcome", VerticalScroll)
        box.border_subtitle = "shift+↓ more" if box.max_scroll_y > 0 else ""

    def _lines(self, outcome: AdviceOutcome, width: int) -> Iterator[Content]:
        given = self._answers.given
        if given:
            yield Content.styled(f"{HEADLINES[outcome.advice]}.", "bold")
        words = self._words if self._evidence is None else dataset_words(self._evidence)
        yield Content.styled(_wrapped(words, 0, width), "$text-muted")
        parts = [self._reasons(outcome, width), self._missing(outcome, width) if given else iter(())]
        for lines in reversed(parts) if outcome.advice == "not_yet" else parts:
            yield from lines

    def _reasons(self, outcome: AdviceOutcome, width: int) -> Iterator[Content]:
        if outcome.reasons:
            yield Content.styled("\nReasons (+ for fine-tuning, - against)", "bold")
        for reason in outcome.reasons:
            mark, color = _MARKS[reason.weight]
            yield Content.assemble((mark, f"bold {color}"), _wrapped(reason.sentence, len(mark), width))

    def _missing(self, outcome: AdviceOutcome, width: int) -> Iterator[Content]:
        if outcome.missing:
            yield Content.styled("\nMissing before you fine-tune", "bold")
        for missing in outcome.missing:
            yield Content.assemble(("! " if missing.blocks else "· ", "bold"), _wrapped(missing.sentence, 2, width))


def _wrapped(words: str, indent: int, width: int) -> str:
    """Words in lines of at most `width` cells, those after the first indented."""
    text = clean_line(words, 400)
    return ("\n" + " " * indent).join(text[start:end].rstrip() for start, end in wrap(text, width - indent))
