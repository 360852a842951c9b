"""Evaluate: base and tuned answers side by side on held-out samples, both losses, and the adapter's folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import events, on, work
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.clean import clean, clean_line
from core.errors import BadInput
from core.runs.artifacts import SavedAdapter, read_adapter
from core.runs.scores import Answer, Comparison, read_comparison
from core.units import count, size
from tui.actions import Command, declare
from tui.screens.base import StepScreen

_ENDED = {"finished": "finished without one", "stopped": "was stopped", "lost": "was lost", "failed": "failed"}
_LONGEST = 8_000
"""Characters of a prompt or an answer that are shown; the rest is counted."""


class EvaluateScreen(StepScreen):
    """The question: does the tuned model answer better than the base?"""

    STEP = "evaluate"
    CSS_PATH = "evaluate.tcss"
    BINDINGS = declare(
        "evaluate",
        Command("evaluate.next", "j,down,right", "go(1)", "next", "Next held-out sample.", 1, "j", shared="down"),
        Command(
            "evaluate.previous", "k,up,left", "go(-1)", "previous", "Previous held-out sample.", 2, "k", shared="up"
        ),
        Command("evaluate.first", "g,home", "go(-1000000)", "first", "First held-out sample.", shared="first"),
        Command("evaluate.last", "G,end", "go(1000000)", "last", "Last held-out sample.", shared="last"),
        Command(
            "evaluate.next_differing",
            "right_square_bracket",
            "next_differing",
            "differing",
            "Next sample whose answers differ.",
            3,
        ),
        Command(
            "evaluate.toggle_reference", "r", "reference", "reference", "Show or hide the dataset's own answer.", 4
        ),
        Command(
            "evaluate.copy_path",
            "y",
            "copy_path",
            "copy path",
            "Copy the adapter's path to the clipboard.",
            5,
            shared="copy",
        ),
        Command("evaluate.scroll_down", "space,pagedown", "scroll(1)", "", "Scroll the answers down."),
        Command("evaluate.scroll_up", "backspace,pageup", "scroll(-1)", "", "Scroll the answers up."),
    )

    def __init__(self) -> None:
        """Make the screen; what it shows is read when it is shown."""
        super().__init__()
        self._tall = False
        self._comparison: Comparison | None = None
        self._answers: tuple[Answer, ...] = ()
        self._adapter: SavedAdapter | None = None
        self._shown = 0
        self._with_reference = False
        self._read_from: Path | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Facts above, the prompt, the two answers, the reference."""
        yield Static("", id="facts", markup=False)
        with Horizontal(id="answers"):
            yield OptionList(id="samples", markup=False)
            with VerticalScroll(id="shown", can_focus=False):
                yield Static("", id="prompt", markup=False)
                with Horizontal(id="pair"):
                    with Vertical(id="base-box"):
                        yield Static("", id="base", markup=False)
                    with Vertical(id="tuned-box"):
                        yield Static("", id="tuned", markup=False)
                yield Static("", id="reference", markup=False)
        yield Static("", id="adapter", markup=False)

    def on_mount(self) -> None:
        """Give the boxes their titles."""
        self.query_one("#samples").border_title = "held-out samples, most changed first"
        self.set_interval(2.0, self._look)
        for name, title in (
            ("prompt", "prompt"),
            ("base-box", "base"),
            ("tuned-box", "tuned"),
            ("reference", "reference"),
        ):
            self.query_one(f"#{name}").border_title = title

    def on_resize(self, event: events.Resize) -> None:
        """A wide terminal has room for both answers side by side, a tall one for the dataset's own answer as well."""
        super().on_resize(event)
        self.set_class(event.size.width >= 150, "-beside")
        tall = self.has_class("-tall")
        if tall != self._tall:
            self._tall = self._with_reference = tall
            self._show()

    def on_screen_resume(self) -> None:
        """Read the results of the session's run again: it may have advanced, or be another one."""
        super().on_screen_resume()
        self._read()

    def _look(self) -> None:
        """While there is no comparison, look for one."""
        if self.is_current and self.session.run is not None and self._comparison is None:
            self._read()

    @work(thread=True, exclusive=True, group="results")
    def _read(self) -> None:
        run = self.session.run
        comparison: Comparison | None = None
        adapter: SavedAdapter | None = None
        words = "No run selected. Start one on Recipe (2, F5) or pick one on Runs (6)."
        if run is not None:
            try:
                comparison, adapter = read_comparison(run), read_adapter(run)
                words = _waiting_words(run) if comparison is None else ""
            except BadInput as error:
                words = str(error)
        self.from_thread(self._take, run, comparison, adapter, words)

    def _take(self, run: Path | None, comparison: Comparison | None, adapter: SavedAdapter | None, words: str) -> None:
        if run != self._read_from:
            self._shown = 0
        self._read_from, self._comparison, self._adapter = run, comparison, adapter
        self._answers = comparison.most_changed_first() if comparison is not None else ()
        self.query_one("#answers").display = bool(comparison and comparison.answers)
        self.query_one("#facts", Static).update(Content(words) if comparison is None else _facts(comparison))
        self.query_one("#adapter", Static).update(Content(self._adapter_words(comparison, adapter)))
        samples = self.query_one("#samples", OptionList)
        samples.clear_options()
        samples.add_options([Option(_line(answer)) for answer in self._answers])
        self._show()
        self.refresh_bindings()

    def _adapter_words(self, comparison: Comparison | None, adapter: SavedAdapter | None) -> str:
        """Where the adapter is and of which step; the comparison may be of an older one."""
        if adapter is None:
            return ""
        of = "" if adapter.weights is None else f", step {count(adapter.weights.step)}"
        words = f"adapter {self._place(adapter)} ({size(adapter.size)}{of})"
        if comparison and adapter.weights and comparison.step not in (None, adapter.weights.step):
            return f"{words}; the comparison above is of step {count(comparison.step or 0)}"
        return f"{words}. Press 5 to export it."

    def _place(self, adapter: SavedAdapter) -> str:
        folder, workspace = adapter.folder, self.session.workspace
        return clean_line(str(folder.relative_to(workspace) if folder.is_relative_to(workspace) else folder))

    # --- moving

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Moving needs answers, copying an adapter."""
        if action in ("go", "next_differing", "reference", "scroll"):
            return bool(self._answers)
        if action == "copy_path":
            return self._adapter is not None
        return True

    @on(OptionList.OptionHighlighted, "#samples")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index != self._shown:
            self._shown = event.option_index
            self._show()

    def action_go(self, step: int) -> None:
        """Go to another sample; the ends hold."""
        self._shown = max(0, min(len(self._answers) - 1, self._shown + step))
        self._show()

    def action_next_differing(self) -> None:
        """Go to the next sample whose answers differ, round the end."""
        count = len(self._answers)
        order = [(self._shown + step) % count for step in range(1, count + 1)]
        self._shown = next((n for n in order if self._answers[n].base != self._answers[n].tuned), self._shown)
        self._show()

    def action_reference(self) -> None:
        """Show or hide the dataset's own answer."""
        self._with_reference = not self._with_reference
        self._show()

    def action_scroll(self, direction: int) -> None:
        """Scroll the answers."""
        self.query_one("#shown", VerticalScroll).scroll_relative(y=direction * 3, animate=False)

    def action_copy_path(self) -> None:
        """Copy the adapter's path; the terminal must allow OSC 52."""
        if self._adapter is not None:
            self.app.copy_to_clipboard(str(self._adapter.folder))
            self.notify("Path sent to your terminal's clipboard.", markup=False)

    def _show(self) -> None:
        if not self._answers:
            return
        answer = self._answers[self._shown]
        self.query_one("#samples", OptionList).highlighted = self._shown
        last = answer.prompt[-1] if answer.prompt else ("user", "")
        prompt = self.query_one("#prompt", Static)
        prompt.border_title = f"{self._shown + 1} of {len(self._answers)} (sample {answer.number + 1})"
        prompt.border_subtitle = _earlier(answer)
        prompt.update(Content.assemble((f"{last[0]}  ", "bold"), _cut(last[1])))
        same = answer.base == answer.tuned
        self.query_one("#tuned-box").border_title = "tuned: same answer" if same else "tuned"
        self.query_one("#base", Static).update(Content(_cut(answer.base)))
        self.query_one("#tuned", Static).update(Content(_cut(answer.tuned)))
        reference = self.query_one("#reference", Static)
        reference.display = self._with_reference
        reference.update(Content(_cut(answer.reference)))


def _earlier(answer: Answer) -> str:
    """The roles of the turns before the question: `after system`, `after 6 turns`."""
    roles = [clean_line(role, 20) for role, _ in answer.prompt[:-1]]
    if len(roles) > 3:
        return f"after {len(roles)} turns"
    return f"after {', '.join(roles)}" if roles else ""


def _line(answer: Answer) -> Content:
    """A line of the list: whether the answers differ, and the question."""
    question = answer.prompt[-1][1] if answer.prompt else ""
    mark = "=" if answer.base == answer.tuned else "≠"
    return Content.assemble((f"{mark} ", "bold"), f"{answer.number + 1:>3}  {clean_line(question, 120)}")


def _cut(text: str) -> str:
    shown = clean(text[:_LONGEST]) or "(empty)"
    return shown if len(text) <= _LONGEST else f"{shown}… ({len(text) - _LONGEST:,} more characters)"


def _facts(comparison: Comparison) -> Content:
    base, tuned = comparison.base_loss, comparison.tuned_loss
    parts: list[str | tuple[str, str]] = []
    if base is not None and tuned is not None:
        better = tuned < base
        parts += [
            "eval loss  base ",
            (f"{base:.3f}", "bold"),
            "  tuned ",
            (f"{tuned:.3f}", "bold"),
            (
                "  eval loss improved" if better else "  eval loss NOT improved: the tuned model is worse",
                "$success" if better else "$error",
            ),
            f"  on {comparison.eval_samples:,} held-out samples\n",
        ]
    if comparison.reward_words:
        parts.append(comparison.reward_words)
        before, after, accuracy = comparison.base_reward, comparison.tuned_reward, comparison.reward_accuracy
        if before is not None and after is not None:
            better = after > before
            words = "  reward improved" if better else "  reward NOT improved"
            parts.append((words, "$success" if better else "$error"))
        elif accuracy is not None:
            better = accuracy > 0.5
            parts.append(("  above chance" if better else "  NOT above chance", "$success" if better else "$error"))
        parts.append("\n")
    if not comparison.writes:
        parts.append("A reward model scores text and does not write any, so there are no answers to compare.")
        return Content.assemble(*parts)
    total, differing = len(comparison.answers), comparison.differing
    parts.append(
        f"{differing} of {total} answers differ" if total else "No answers were generated: evaluation.prompts is 0."
    )
    if total and not differing:
        parts.append(("  The adapter has no visible effect on these prompts.", "$error"))
    elif (equal := comparison.like_the_reference) is not None:
        words = "1 equals its reference" if equal == 1 else f"{equal} equal their references"
        parts.append(f"  {words}." if equal else "  No tuned answer equals its reference.")
    return Content.assemble(*parts)


def _waiting_words(run: Path) -> str:
    from core.jobs.folder import JobFolder
    from core.jobs.state import standing

    found = standing(JobFolder(run))
    state, status, name = found.state, found.status, clean_line(run.name)
    if state in ("running", "stopping") and status.stage and status.phase == "evaluating" and status.of:
        return f"Comparing base and tuned: {count(status.step or 0)} of {count(status.of)}. The result appears here."
    if state in ("queued", "starting", "running", "stopping", "paused"):
        return f"{name} is {state}. The comparison of the base and tuned models appears here when training is done."
    words = f"No comparison yet: {name} {_ENDED.get(state, f'is {state}')}."
    if state == "finished" and status.message:
        return clean_line(status.message)
    if state == "finished":
        return f"{words} To get one, hold out samples and turn on evaluation.after_training on Recipe (2)."
    if any(JobFolder(run).checkpoints.glob("checkpoint-*")):
        words += "\nBase and tuned are compared when training finishes. Resume the run on Train (3, then r)."
    else:
        words += " Train (3) shows what happened."
    return words
