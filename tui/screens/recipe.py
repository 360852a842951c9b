"""Recipe: what to train and how, in a form made from the one declaration. Will it fit, and is it sensible?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from textual import events, on, work
from textual.containers import Container, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from core.recipe.declare import Problem
from core.recipe.presets import PRESETS, Preset
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.yamlfile import dumps
from core.units import count
from tui.actions import Command, declare
from tui.screens.base import StepScreen
from tui.screens.field_help import FieldHelp
from tui.screens.preset_menu import PresetMenu
from tui.screens.recipe_desk import Desk
from tui.screens.recipe_facts import NOTHING_YET, Facts, Surroundings, in_brief
from tui.screens.recipe_fields import describe, sections
from tui.screens.recipe_files import keep_draft
from tui.screens.recipe_panels import RecipePanels
from tui.widgets.form import Form
from tui.widgets.path_prompt import PathPrompt
from tui.widgets.text_view import TextView
from tui.widgets.yaml_lines import yaml_lines

_LOOK_AFTER, _KEEP_AFTER = 0.25, 0.15
"""Seconds without a key before the surroundings are looked up and the draft is written."""


class RecipeScreen(StepScreen):
    """The question: will it fit, and is it sensible?"""

    STEP = "recipe"
    CSS_PATH = "recipe.tcss"
    BINDINGS = declare(
        "recipe",
        Command("recipe.start", "f5", "start", "start", "Start the run; it goes on without this terminal.", 3, "F5"),
        Command("recipe.cancel", "f5", "cancel", "cancel start", "Start no run after all.", 3, "F5"),
        Command("recipe.pilot", "f6", "start(True)", "pilot", "Start a pilot run of a few steps.", 4, "F6"),
        Command("recipe.form", "escape", "form", "form", "Back to the form.", 2, "esc"),
        Command("recipe.yaml", "ctrl+y", "yaml", "YAML", "Show the same recipe as YAML, or the form again.", 5, "^y"),
        Command("recipe.save", "ctrl+s", "save", "save", "Save the recipe to its file.", 6, "^s"),
        Command("recipe.load", "ctrl+o", "load", "open", "Open a recipe from a file.", 7, "^o"),
        Command("recipe.folded", "f4", "folded", "all fields", "Show or hide the advanced fields.", 8, "F4"),
        Command("recipe.panel", "f3", "panel", "panel", "Show help, memory or preflight below the form.", 9, "F3"),
        Command("recipe.presets", "f8", "presets", "presets", "Choose a starting point.", 10, "F8"),
        Command("recipe.undo", "ctrl+z", "undo", "undo", "Take the last change back.", 11, "^z"),
        Command("recipe.default", "ctrl+r", "default", "default", "Set this field to its default.", 0, "^r"),
        Command("recipe.save_as", "f2", "save(True)", "save as", "Save the recipe to another file.", 0, "F2"),
        Command("recipe.new", "ctrl+n", "new", "new", "Begin an empty recipe.", 0, "^n"),
        Command("recipe.field_help", "f1", "field_help", "about", "All about this field.", 0, "F1"),
    )

    def __init__(self) -> None:
        """Make the screen; it is filled in when it is first shown."""
        super().__init__()
        self._facts: Facts = NOTHING_YET
        self._waiting: tuple[Timer, ...] = ()
        self._said = ""
        self._starting = False

    def compose_body(self) -> Iterable[Widget]:
        """Form and YAML in one place, the panels beside or below, the file prompt, a line of words."""
        with Container(id="columns"):
            with Vertical(id="left"):
                yield Form(sections(), id="form")
                yield TextView(id="yaml")
            yield RecipePanels(id="panels")
        yield PathPrompt(self.session.workspace, id="prompt")
        yield Static("", id="line", markup=False)

    def on_mount(self) -> None:
        """Fill the form in: from the recipe that was named, else from the draft of an earlier sitting."""
        self._surroundings = Surroundings(self.session.workspace)
        self._desk = Desk(self.session)
        self._say(self._desk.words)
        self.form.focus()

    def on_screen_resume(self) -> None:
        """Take over the data set that is open now."""
        self._desk.take_data()
        super().on_screen_resume()
        self._update()

    def on_resize(self, event: events.Resize) -> None:
        """The YAML's comments are cut to the width."""
        super().on_resize(event)
        self.call_after_refresh(self._show)

    @property
    def form(self) -> Form:
        """The form."""
        return self.query_one(Form)

    # --- the form

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        self._desk.take(event.key, event.text)
        self._said = ""
        self._update()

    @on(Form.Moved)
    def _moved(self) -> None:
        self._show()

    @on(Form.Completing)
    def _completing(self, event: Form.Completing) -> None:
        last = event.text.rpartition(",")[2].lstrip() if KNOBS[event.key].kind == "list" else event.text
        if last:
            self._complete(event.key, event.text, last)

    @work(thread=True, exclusive=True, group="completion")
    def _complete(self, key: str, text: str, last: str) -> None:
        """Look a file name up in a thread: a folder may lie on a slow disk."""
        from tui.widgets.path_input import completion

        found = completion(last, self.session.workspace)
        if found and key == "model.path" and not found.endswith("/"):
            return  # a model is a folder
        if found and not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.form.suggest, key, text, found[len(last) :])

    # --- showing

    def _problems(self) -> list[Problem]:
        return self._desk.entries.problems(self._facts)

    def _update(self) -> None:
        """After a change: show it at once; look around and write the draft when no key is pressed for a moment."""
        self._show()
        for timer in self._waiting:
            timer.stop()
        self._waiting = (self.set_timer(_LOOK_AFTER, self._look), self.set_timer(_KEEP_AFTER, self._keep))

    def _show(self) -> None:
        """Bring form, panels and YAML up to the entries."""
        desk, entries, facts = self._desk, self._desk.entries, self._facts
        problems = self._problems()
        self.form.fill(entries.states(problems, facts))
        knob = KNOBS[self.form.current.key]
        text = describe(knob, entries, problems, facts)
        self.query_one(RecipePanels).show_help(f"{knob.title} ({knob.path})", text)
        state = "" if desk.saved else " · not saved"
        self.form.border_title = Content(desk.files.name + state)
        yaml = self.query_one("#yaml", TextView)
        yaml.border_title = Content(f"{desk.files.name} as YAML{state}")
        if self.has_class("-yaml"):
            document = dumps(entries.recipe)
            yaml.show(lambda: yaml_lines(document, yaml.content_size.width - 1), keep_place=True)
        self._show_line()

    def _show_facts(self, facts: Facts) -> None:
        self._facts = facts
        panels = self.query_one(RecipePanels)
        panels.show_facts(facts)
        panels.show_checks(facts.checks)
        self._show()

    def _show_line(self) -> None:
        """Say what was said last; else, where the panels have no room, what they would show in brief."""
        words = self._said
        if not words and not self.has_class("-wide"):
            words = in_brief(self._facts)
        self.query_one("#line", Static).update(Content(words))

    def _say(self, words: str) -> None:
        """Say something in the line above the keys, until the next change."""
        self._said = clean_line(words, 400)
        self._show_line()

    # --- what takes time

    @work(thread=True, exclusive=True, group="surroundings")
    def _look(self) -> None:
        facts = self._surroundings.look(self._desk.entries.recipe)
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._show_facts, facts)

    def _keep(self) -> None:
        files = self._desk.files
        self._write_draft(self._desk.entries.recipe, files.saved, files.draft)

    @work(thread=True, group="draft")
    def _write_draft(self, recipe: Recipe, saved: Recipe | None, draft: Path) -> None:
        fault = keep_draft(recipe, saved, draft)
        if fault:
            self.app.call_from_thread(self._say, fault)

    def on_unmount(self) -> None:
        """The app ends: keep what the timer has not kept yet."""
        keep_draft(self._desk.entries.recipe, self._desk.files.saved, self._desk.files.draft)

    # --- commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A question for a file name comes first; a run is started once."""
        asked = self.query_one(PathPrompt).display if self.is_mounted else False
        wide = self.has_class("-wide")
        able = {
            "start": not asked and not self._starting,
            "cancel": self._starting,
            "yaml": not asked,
            "form": not asked and self.has_class("-yaml"),
            "save": not asked,
            "load": not asked,
            "folded": not asked and not self.has_class("-yaml"),
            "panel": not wide,
            "presets": not asked,
            "undo": not asked and self.is_mounted and self._desk.can_undo,
            "default": not asked and not self.has_class("-yaml"),
            "new": not asked,
        }
        return able.get(action, True)

    def action_folded(self) -> None:
        """Show or hide the advanced fields."""
        self.form.show_folded = not self.form.show_folded

    def action_panel(self) -> None:
        """Show the next panel."""
        self.query_one(RecipePanels).turn()

    def action_yaml(self) -> None:
        """Show the YAML, or the form again."""
        self.form.action_leave()
        self.toggle_class("-yaml")
        self._show()
        (self.query_one("#yaml") if self.has_class("-yaml") else self.form).focus()
        self.refresh_bindings()

    def action_form(self) -> None:
        """Back to the form."""
        self.action_yaml()

    def action_field_help(self) -> None:
        """Show all that is said about the field."""
        knob = KNOBS[self.form.current.key]
        text = describe(knob, self._desk.entries, self._problems(), self._facts, full=True)
        self.app.push_screen(FieldHelp(f"{knob.title} ({knob.path})", text))

    def action_default(self) -> None:
        """Set the field to its default."""
        knob = KNOBS[self.form.current.key]
        self.form.retype(knob.format(knob.default))

    def action_undo(self) -> None:
        """Take the last change back."""
        self.form.action_leave()
        self.form.go_to(self._desk.undo())
        self._update()
        self.refresh_bindings()

    def action_new(self) -> None:
        """Begin an empty recipe, with the data that is open."""
        self.form.action_leave()
        self._desk.new()
        self._update()
        self._say("An empty recipe. ctrl+z brings the one before back.")

    def action_presets(self) -> None:
        """Choose a starting point."""
        self.app.push_screen(PresetMenu(PRESETS, self._desk.entries.recipe), self._take_preset)

    def _take_preset(self, preset: Preset | None) -> None:
        if preset is not None:
            self.form.action_leave()
            self._desk.replace(preset.apply(self._desk.entries.recipe))
            self._update()
            self._say(f"{preset.name}: {len(preset.values)} fields are set. ctrl+z takes it back.")

    # --- files

    def action_save(self, elsewhere: bool = False) -> None:
        """Save to the recipe's file, or ask for one."""
        if self._blocked("The recipe is not saved:"):
            return
        path = self._desk.files.path
        if path is None or elsewhere:
            words = "enter saves it there and replaces a file of that name; esc does not save."
            self._ask("save", "save the recipe as", words, self._desk.file_name)
            return
        try:
            self._save(path)
        except BadInput as error:
            self._say(str(error))

    def action_load(self) -> None:
        """Ask for the file to open."""
        words = "enter opens it, and ctrl+z brings the present one back; esc leaves all as it is."
        self._ask("load", "open a recipe", words)

    def _ask(self, purpose: str, title: str, words: str, text: str = "") -> None:
        self.form.action_leave()
        self.query_one(PathPrompt).ask(purpose, title, words, text)
        self.refresh_bindings()

    @on(PathPrompt.Answered)
    def _answered(self, event: PathPrompt.Answered) -> None:
        try:
            if event.purpose == "save":
                self._save(event.path)
            else:
                self._load(event.path)
        except BadInput as error:
            self.query_one(PathPrompt).say(clean_line(str(error), 400))
            return
        self._leave_prompt()

    @on(PathPrompt.Cancelled)
    def _leave_prompt(self) -> None:
        self.query_one(PathPrompt).close()
        self.form.focus()
        self.refresh_bindings()

    def _save(self, path: Path) -> None:
        self._desk.save(path)
        self._update()
        self._say(f"Saved to {path}")

    def _load(self, path: Path) -> None:
        self._desk.load(path)
        self._update()
        self._say(f"Opened {path}")

    # --- the start

    def _blocked(self, words: str, *, rules: bool = False) -> bool:
        """Whether a field is wrong; if so, go to the first one and say why.

        Args:
            words: the sentence's beginning.
            rules: whether a recipe that can be read but not started counts as well.
        """
        # What was found outside the form is looked at anew by the start itself.
        found = self._desk.entries.problems(replace(self._facts, problems=()))
        problems = [problem for problem in found if rules or problem.path in self._desk.entries.wrong]
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            self._go_to(errors[0].path)
            self._say(f"{words} {errors[0].sentence}")
        return bool(errors)

    def _go_to(self, path: str) -> None:
        if self.has_class("-yaml"):
            self.action_yaml()
        if path in KNOBS:
            self.form.go_to(path)

    def action_start(self, pilot: bool = False) -> None:
        """Start a run of the recipe, or a pilot of it."""
        if self._blocked("Not started:", rules=True):
            return
        recipe = self._desk.entries.recipe
        if pilot:
            recipe = next(preset for preset in PRESETS if preset.name == "pilot").apply(recipe)
        self._starting = True
        self._say("Preparing the data and starting the run …")
        self.refresh_bindings()
        self._start(recipe)

    @work(thread=True, group="start")
    def _start(self, recipe: Recipe) -> None:
        from core.dataset.scan import Stopped
        from core.recipe.start import start_run

        worker = get_current_worker()

        def tell(read: int, rows: int) -> None:
            self.app.call_from_thread(self._say, f"Reading the data: {count(read)} of {count(rows)} rows. F5 cancels.")

        try:
            folder = start_run(
                recipe,
                self.session.workspace,
                on_progress=tell,
                should_stop=lambda: worker.is_cancelled,
            )
        except Stopped:
            self.app.call_from_thread(self._end_start, "The start was cancelled; nothing is left of it.")
        except TunedeckError as error:
            self.app.call_from_thread(self._go_to, error.where)
            self.app.call_from_thread(self._end_start, f"Not started: {error}")
        else:
            self.app.call_from_thread(self._end_start, "")
            self.app.call_from_thread(self.deck.show_run, folder.path)

    def action_cancel(self) -> None:
        """Start no run after all."""
        self.workers.cancel_group(self, "start")

    def _end_start(self, words: str) -> None:
        self._starting = False
        self._say(words)
        self.refresh_bindings()
