"""Overview: what is the training set made of, and is anything out of balance?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from core.clean import clean, clean_line
from core.errors import TunedeckError
from core.units import count
from tui.actions import declare
from tui.overview.keys import COMMANDS
from tui.overview.work import OverviewUpdate, OverviewWork
from tui.screens.base import StepScreen
from tui.widgets.path_prompt import PathPrompt
from tui.widgets.text_view import TextLine, TextView, plain

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_FORMS = (
    ("jsonl", ".jsonl", "messages, text or pairs, one sample per line"),
    ("parquet", ".parquet", "the same columns"),
    ("openai", ".openai.jsonl", "for OpenAI and other hosted services, checked against their rules"),
    ("jsonl", ".jsonl", "as above, with the other source columns"),
)
_WITH_COLUMNS = len(_FORMS) - 1
"""The form that keeps the other columns."""

_STYLES = {"good": "key"}
_INDENT = "  "


class OverviewUpdated(Message):
    """How far the overview is."""

    def __init__(self, work: OverviewWork | None, update: OverviewUpdate) -> None:
        self.work = work
        self.update = update
        super().__init__()


class OverviewScreen(StepScreen):
    """Split, leaks, sources, tokens, answers and kinds of input of the training set."""

    STEP = "data"
    SCOPE = "overview"
    BINDINGS = declare("overview", *COMMANDS)

    DEFAULT_CSS = """
    OverviewScreen #facts {
        height: 1fr; border: round $border-blurred; border-title-color: $foreground; padding: 0 1;
    }
    OverviewScreen #facts:focus { border: round $primary; }
    OverviewScreen #doing { height: auto; max-height: 3; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, begin_thin: Callable[[list[int]], None], *, export: bool = False) -> None:
        """Make the screen.

        Args:
            begin_thin: begins an audit of these rows, in their order.
            export: ask in which form to export as soon as it is known what.
        """
        super().__init__()
        self._begin_thin = begin_thin
        self._work: OverviewWork | None = None
        self._facts: dict[str, Any] | None = None
        self._form = ""
        self._keeps_columns = False
        self._export_asked = export
        self._written = ""

    # -- composition ----------------------------------------------------------------------------------------

    def compose_body(self) -> Iterable[Widget]:
        """The facts, a prompt for files, a line on what is being done."""
        yield TextView(id="facts")
        yield PathPrompt(self.session.workspace, id="prompt")
        yield Static("", id="doing", markup=False)

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one("#facts").border_title = "overview of the training set"
        self.query_one(TextView).focus()
        self._look()

    def on_unmount(self) -> None:
        """Stop following; the job continues in the background."""
        if self._work is not None:
            self._work.stop()

    # -- the facts ------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._work is not None:
            self._work.stop()
        try:
            recipe = self._recipe()
        except TunedeckError as fault:
            self._work = None
            self._show_update(OverviewUpdated(None, OverviewUpdate(problem=str(fault))))
            return
        self._say("Starting …")
        self._work = OverviewWork(
            self.session.workspace,
            recipe,
            self.session.workspace,
            lambda work, update: self.post_message(OverviewUpdated(work, update)),
        )

    def _recipe(self) -> Recipe:
        """The recipe of the session, on the data that are open."""
        session = self.session
        recipe, data = session.recipe, session.recipe.data
        opened = tuple(str(path.absolute()) for path in session.data)
        if opened and opened != tuple(str((session.workspace / path).absolute()) for path in data.train):
            held = tuple(str(path.absolute()) for path in session.eval_data)
            data = replace(
                data, train=opened, eval=held or data.eval, format=session.format, columns=dict(session.columns)
            )
            if held:
                data = replace(data, eval_format=session.eval_format, eval_columns=dict(session.eval_columns))
        return replace(recipe, data=data)

    @on(OverviewUpdated)
    def _show_update(self, event: OverviewUpdated) -> None:
        if event.work is not self._work:
            return
        update = event.update
        if update.facts is not None:
            self._facts = update.facts
            self.query_one(TextView).show(self._lines, keep_place=True)
        if update.problem and update.facts is None:
            self._facts = None
            problem = clean(update.problem)
            self.query_one(TextView).show(lambda: [TextLine(((problem, "warning"),))])
        doing = f"{clean_line(update.doing, 120)} …" if update.doing else ""
        if doing and self._facts is None:
            wait = [plain(doing, "strong"), plain("You can leave; this continues in the background.", "muted")]
            self.query_one(TextView).show(lambda: wait)
        self._say(doing or self._written)
        self.refresh_bindings()
        if self._export_asked and self._facts is not None:
            self._export_asked = False
            self.action_export()

    def _lines(self) -> Iterable[TextLine]:
        from tui.overview.words import overview_lines

        assert self._facts is not None
        width = self.query_one(TextView).size.width - 2
        for pieces in overview_lines(self._facts, width):
            spans = [(text, _STYLES.get(style, style)) for text, style in pieces if text]
            indent = 0
            if spans and spans[0][0].startswith(_INDENT):  # what a long line wraps into begins there, too
                indent = len(_INDENT)
                spans[0] = (spans[0][0][indent:], spans[0][1])
            yield TextLine(tuple(spans), indent)

    def _say(self, words: str) -> None:
        self.query_one("#doing", Static).update(Content(words))

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        facts = self._facts
        if action == "thin":
            return facts is not None and bool(facts["thin"])
        if action == "leaks":
            return facts is not None and bool(facts["near_leaks"])
        if action == "export":
            return facts is not None and not self.query_one(PathPrompt).display
        return True

    def action_close(self) -> None:
        """Back to the rows."""
        self.dismiss()

    def action_again(self) -> None:
        """Look again: recipe and decisions may have changed."""
        self._look()

    def action_thin(self) -> None:
        """Audit the rows of the thinnest kinds."""
        assert self._facts is not None
        thin = list(self._facts["thin"])
        self.dismiss()
        self._begin_thin(thin)

    def action_leaks(self) -> None:
        """Drop the rows whose prompts are similar to eval prompts; each drop is a decision that can be undone."""
        assert self._facts is not None
        leaks = self._facts["near_leaks"]

        def chosen(number: int | None) -> None:
            if number == 1:
                self.run_worker(lambda: self._drop(leaks), thread=True, exclusive=True, group="leaks")

        self._menu(
            "Drop the near leaks to the eval file?",
            [
                ("cancel", ""),
                (
                    f"drop {count(len(leaks))} row{'s' * (len(leaks) != 1)}",
                    "from the training data; u on a row undoes it",
                ),
            ],
            chosen,
        )

    def _drop(self, leaks: list[Mapping[str, Any]]) -> None:
        from core.dataset.audit.store import DecisionRequest, DecisionStore

        store = DecisionStore(self.session.workspace)
        try:
            asked: list[DecisionRequest] = [
                (each["key"], "drop", {"text": f"near leak: {each['detail']}"}) for each in leaks
            ]
            store.decide_together(asked).result()
        except TunedeckError as fault:
            self.from_thread(self.notify, clean(str(fault)), severity="error", markup=False)
        else:
            self.from_thread(self._look)
        finally:
            store.close()

    # -- exporting ------------------------------------------------------------------------------------------

    def action_export(self) -> None:
        """Choose a form, then say where the file is to be."""

        def chosen(number: int | None) -> None:
            if number is None:
                return
            self._form, suffix, _ = _FORMS[number]
            self._keeps_columns = number == _WITH_COLUMNS
            stem = self.session.data[0].name.partition(".")[0] if self.session.data else "data"
            self.query_one(PathPrompt).ask(
                "export",
                f"export as {self._form} to",
                "The eval set and the dropped rows (with reasons) go to files beside it. No file is overwritten.",
                self._unused(f"{clean_line(stem, 60)}.curated", suffix),
            )
            self.refresh_bindings()

        self._menu("export the training set as", [(name, words) for name, _, words in _FORMS], chosen)

    def _unused(self, stem: str, suffix: str) -> str:
        """A name that no file in the workspace has: another dataset may have the same one."""
        number, name = 1, f"{stem}{suffix}"
        while (self.session.workspace / name).exists():
            number += 1
            name = f"{stem}-{number}{suffix}"
        return name

    def _menu(self, title: str, choices: list[tuple[str, str]], chosen: Callable[[int | None], None]) -> None:
        from tui.widgets.choice_menu import ChoiceMenu

        self.app.push_screen(ChoiceMenu(title, choices), chosen)

    @on(PathPrompt.Cancelled)
    def _cancelled(self) -> None:
        self.query_one(TextView).focus()
        self.refresh_bindings()

    @on(PathPrompt.Answered)
    def _answered(self, event: PathPrompt.Answered) -> None:
        assert self._facts is not None
        path, fingerprint = event.path, str(self._facts["fingerprint"])
        self._say("Writing …")
        self.run_worker(lambda: self._export(path, fingerprint), thread=True, exclusive=True, group="export")

    def _export(self, path: Path, fingerprint: str) -> None:
        """Write the files in a process of their own: pyarrow alone would hold up the keys."""
        from core.dataset.write.write import KEEP_COLUMNS
        from core.jobs.launch import clean_environment
        from core.paths import hidden_dir

        view = hidden_dir(self.session.workspace) / "views" / fingerprint
        command = [sys.executable, "-m", "core.dataset.write", str(view.absolute()), self._form, str(path)]
        command += [KEEP_COLUMNS] if self._keeps_columns else []
        ended = subprocess.run(
            command, env=clean_environment(), capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if ended.returncode:
            self.from_thread(self._not_exported, ended.stderr.strip() or "The export process ended without a message.")
            return
        found = json.loads(ended.stdout)
        words = f"Wrote {count(found['samples'])} samples to {Path(found['path']).name}"
        if found["eval_path"] is not None:
            words += f", {count(found['eval_samples'])} held out to {Path(found['eval_path']).name}"
        from tui.overview.words import reason_words

        why = ", ".join(f"{reason_words(name)} {count(number)}" for name, number in sorted(found["rejects"].items()))
        words += f", {count(sum(found['rejects'].values()))} excluded{f' ({why})' if why else ''}"
        words += f" to {Path(found['rejects_path']).name}. {' '.join(found['warnings'])}"
        self.from_thread(self._exported, clean_line(words, 400))

    def _exported(self, words: str) -> None:
        self.query_one(PathPrompt).close()
        self.query_one(TextView).focus()
        self._written = words
        self._say(words)
        self.refresh_bindings()

    def _not_exported(self, fault: str) -> None:
        self._say("")
        self.query_one(PathPrompt).say(clean_line(fault, 400))
