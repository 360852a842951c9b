"""Recipe: what to train and how, in a form generated from the one declaration. Does it fit, and is it sensible?"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from textual import events, on, work
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from core.clean import clean_line
from core.jobs.trust import FILE, ConsentRequest
from core.recipe.asks import asks_of
from core.recipe.declare import Problem
from core.recipe.model_library import LocalModel, local_models
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS, Recipe, default_of
from core.recipe.tasks import TASKS
from core.recipe.yamlfile import dumps
from core.runs.advice.kept import read_kept
from tui.actions import Command, declare
from tui.recipe.desk import RecipeEditor
from tui.recipe.facts import NOTHING_YET, RecipeFacts, Surroundings, checks_of, in_brief
from tui.recipe.field_help import FieldHelp
from tui.recipe.fields import completion_of, deciding_field, describe, field_items, first_to_fill, sections
from tui.recipe.files import keep_draft
from tui.recipe.forecasts import ExactForecasts
from tui.recipe.memory import EXACT, MemoryOffers
from tui.recipe.messages import Completed, FactsRead, ForecastEnded, ModelsFound, RecipeNotice, StartEnded
from tui.recipe.models import model_items, models_note, typed_model
from tui.recipe.panels import RecipePanels, retitle
from tui.recipe.preset_menu import PresetChoice, PresetMenu
from tui.recipe.prompt import RecipePrompt
from tui.recipe.records import RecordsEditor
from tui.recipe.sheet import PreflightSheet
from tui.recipe.start import pilot_of, queue, start
from tui.screens.base import StepScreen
from tui.widgets.agree import Agree
from tui.widgets.check_list import ChecklistItem
from tui.widgets.confirm import Confirm
from tui.widgets.filter_menu import FilterMenu
from tui.widgets.form import Form
from tui.widgets.text_view import TextView
from tui.widgets.words_line import WordsLine
from tui.widgets.yaml_lines import yaml_lines

_LOOK_AFTER, _KEEP_AFTER = 0.25, 0.15
"""Seconds without a key before the surroundings are looked up and the draft is written."""

_LOOK_AGAIN = 1.0
"""Seconds until the next look while torch is being asked whether it can use the GPU."""

_FORECAST_PATIENCE = 1.0
"""Seconds that a start waits for the exact forecast under way, where the estimate is close to what is free."""

_LIST_EVERY = 0.3
"""Seconds between two looks at the models that were found so far."""

_LOOKING = "Looking for models ..."

_BEHIND_A_QUESTION = frozenset(
    (
        "start",
        "advise",
        "try_rewards",
        "yaml",
        "form",
        "save",
        "load",
        "folded",
        "search",
        "presets",
        "undo",
        "default",
        "new",
        "field_help",
        "preflight",
    )
)
"""What waits while a file name is asked for."""


class RecipeScreen(StepScreen):
    """Will it work, and is it sensible?"""

    STEP = "recipe"
    CSS_PATH = "recipe.tcss"
    BINDINGS = declare(
        "recipe",
        Command(
            "recipe.start",
            "f5",
            "start",
            "start",
            "Start the run. Press F5 again to cancel the start.",
            3,
            decides=True,
        ),
        Command("recipe.cancel_start", "f5", "cancel", "cancel start", "Cancel the start.", 3, aside=True),
        Command(
            "recipe.queue",
            "f7",
            "start(False, True)",
            "queue",
            "Add the run to the queue.",
            4,
            decides=True,
        ),
        Command(
            "recipe.start_pilot",
            "f6",
            "start(True)",
            "pilot",
            "Start a pilot run of 20 steps.",
            4,
            decides=True,
        ),
        Command("recipe.show_form", "escape", "form", "form", "Back to the form.", 2, "esc", shared="back"),
        Command("recipe.toggle_yaml", "ctrl+y", "yaml", "YAML", "Switch between the form and the YAML.", 7),
        Command("recipe.save", "ctrl+s", "save", "save", "Save the recipe to its file.", 6),
        Command("recipe.open", "ctrl+o", "load", "open", "Open a recipe from a file.", 8),
        Command("recipe.toggle_advanced", "f4", "folded", "all fields", "Show or hide the advanced fields.", 9),
        Command(
            "recipe.search_fields", "slash,ctrl+f", "search", "search", "Search all fields.", 5, "/", shared="search"
        ),
        Command("recipe.next_panel", "f3", "panel", "panel", "Show help, memory or preflight below the form.", 4),
        Command(
            "recipe.choose_preset",
            "f8",
            "presets",
            "presets",
            "Apply a preset, such as first LoRA or extraction, or try it on its example.",
            5,
        ),
        Command(
            "recipe.try_rewards",
            "ctrl+t",
            "try_rewards",
            "test rewards",
            "Test the rewards on ten samples of the training data.",
            13,
        ),
        Command(
            "recipe.advise",
            "ctrl+g",
            "advise",
            "advice",
            "Decide whether to fine-tune at all: six questions and your dataset.",
            12,
        ),
        Command(
            "recipe.show_preflight",
            "p",
            "preflight",
            "preflight",
            "Show every check of the run on one sheet before it starts.",
            5,
        ),
        Command("recipe.scroll_down", "shift+down,ctrl+down", "scroll_panel(1)", "", "Scroll the panel down one page."),
        Command("recipe.scroll_up", "shift+up,ctrl+up", "scroll_panel(-1)", "", "Scroll the panel up one page."),
        Command(
            "recipe.memory",
            "m",
            "memory",
            "memory",
            "Show and apply changes that make the run fit, or compute the exact memory.",
            6,
        ),
        Command("recipe.undo", "ctrl+underscore,u", "undo", "undo", "Undo the last change.", 11, shared="undo"),
        Command("recipe.reset_field", "ctrl+r", "default", "default", "Reset this field to its default.", 0),
        Command("recipe.save_as", "f2", "save(True)", "save as", "Save the recipe to another file.", 0),
        Command("recipe.new", "ctrl+n", "new", "new", "Start an empty recipe.", 0),
        Command(
            "recipe.show_field_help",
            "f1",
            "field_help",
            "about",
            "Show everything about this field.",
            0,
            shared="help",
        ),
    )

    def __init__(self) -> None:
        """Make the screen; it is filled in when it is first shown."""
        super().__init__()
        self._facts: RecipeFacts = NOTHING_YET
        self._checks: tuple[ChecklistItem, ...] = ()
        self._waiting: tuple[Timer, ...] = ()
        self._said = ""
        self._begun_at = ""
        self._model_menu: FilterMenu | None = None
        self._models: tuple[LocalModel, ...] | None = None
        self._all_models = False
        self._starting = False
        self._sheet: PreflightSheet | None = None
        self._advised = False
        """Whether the questions before the form were offered in this sitting."""
        self._begun: tuple[Recipe, bool] | None = None
        self._memory_menu: FilterMenu | None = None
        self._offers: MemoryOffers | None = None

    def compose_body(self) -> Iterable[Widget]:
        """Form and YAML in one place, the panels beside or below, the file prompt, a line of words."""
        with Container(id="columns"):
            with Vertical(id="left"):
                yield Form(sections(), id="form")
                yield TextView(wraps=False, id="yaml")
            yield RecipePanels(id="panels")
        yield RecipePrompt(self.session.workspace, id="prompt")
        yield WordsLine(id="line")

    def on_mount(self) -> None:
        """Fill in the form: from the recipe that was opened, else from the draft of last time."""
        self._surroundings = Surroundings(self.session.workspace)
        self._forecasts = ExactForecasts(self.session.workspace, lambda: self.post_message(ForecastEnded()))
        self._desk = RecipeEditor(self.session)
        self._say(self._desk.words)
        self.form.offer = self._offer
        self.form.focus()
        self._begin_at_first_missing()

    def on_screen_resume(self) -> None:
        """Take over the recipe and the dataset that are open now."""
        words = self._desk.take_session()
        if words is not None:
            self._begin_at_first_missing()
            self._say(words)
        self._desk.take_data()
        super().on_screen_resume()
        self._update()
        if not self._advised:
            self._advised = True
            if self._desk.untouched and read_kept(self.session.workspace) is None:
                self.action_advise()

    def on_resize(self, event: events.Resize) -> None:
        """The panels come and go with the size."""
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
        self._desk.entries.rest()
        self._show()

    @on(Form.Completing)
    def _completing(self, event: Form.Completing) -> None:
        self._complete(event.key, event.text)

    @work(thread=True, exclusive=True, group="completion")
    def _complete(self, key: str, text: str) -> None:
        """Look a file name up in a thread: a folder may lie on a slow disk."""
        rest = completion_of(key, text, self.session.workspace)
        if rest and not get_current_worker().is_cancelled:
            self.post_message(Completed(key, text, rest))

    @on(Completed)
    def _completed(self, event: Completed) -> None:
        self.form.suggest(event.key, event.text, event.rest)

    # --- where to begin, and what there is to choose

    def _begin_at_first_missing(self) -> None:
        """Put the cursor where something has to be filled in or corrected, else on the first field."""
        self.form.lay_out(sections(self._desk.entries))
        self.form.begin(first_to_fill(self._desk.entries, self._problems()))
        self._begun_at = self.form.current.key

    def _offer(self, key: str) -> None:
        """Show what the field offers: the entries of a list, or the models on this machine."""
        if KNOBS[key].kind == "records":
            editor = RecordsEditor(KNOBS[key], self._desk.entries.text(key), self.session.workspace)
            self.app.push_screen(editor, lambda text: self._take_records(key, text))
        else:
            self._offer_models(key)

    def _take_records(self, key: str, text: str | None) -> None:
        if text is not None:
            self.form.go_to(key)
            self.form.retype(text)

    def _offer_models(self, key: str) -> None:
        """List the models on this machine; text that is none of them can be typed as well."""
        menu = FilterMenu(
            "choose a model",
            hint="type to filter, or type a Hub model ID (org/name) or a folder",
            note=_LOOKING,
            free=typed_model,
            chosen=self._desk.entries.recipe.model.path,
        )
        self._model_menu, self._models = menu, None
        self.app.push_screen(menu, self._take_model)
        self._find_models()

    @work(thread=True, exclusive=True, group="models")
    def _find_models(self) -> None:
        worker, found, shown = get_current_worker(), list[LocalModel](), time.monotonic()
        for model in local_models(self.session.workspace):
            found.append(model)
            if worker.is_cancelled:
                return
            if time.monotonic() - shown > _LIST_EVERY:
                self.post_message(ModelsFound(found, complete=False))
                shown = time.monotonic()
        self.post_message(ModelsFound(found, complete=True))

    @on(ModelsFound)
    def _show_models(self, event: ModelsFound) -> None:
        self._models, self._all_models = event.models, event.complete
        self._fill_models()

    def _fill_models(self) -> None:
        """Show the models that were found, with what is known of the GPU now."""
        room = self._facts.room
        if self._model_menu is not None and self._models is not None:
            items = model_items(self._models, self._desk.entries.recipe, room, self.session.workspace)
            note = models_note(self._models, room) if self._all_models else _LOOKING
            self._model_menu.show(items, note)

    def _take_model(self, path: str | None) -> None:
        self._model_menu = None
        if path is not None:
            self.form.go_to("model.path")
            self.form.retype(path)

    def action_search(self) -> None:
        """Find a field by its name, its key, a word of its help, or what another program calls it."""
        items = field_items(self._desk.entries)
        menu = FilterMenu(f"search all {len(items)} fields", items, hint="type part of a name, a key or the help")
        self.form.action_leave()
        self.app.push_screen(menu, self._go_to_found)

    def _go_to_found(self, path: str | None) -> None:
        """Go to a field; to the one that decides about it where it has no effect now."""
        if not path or self._desk.entries.shows(path):
            self.form.go_to(path or "")
            return
        deciding, why = deciding_field(self._desk.entries, path)
        self.form.go_to(deciding)
        here = f" {KNOBS[deciding].title} decides that." if deciding else ""
        self._say(f"{KNOBS[path].title} ({path}) has no effect now because {why}.{here}")

    # --- showing

    def _problems(self) -> list[Problem]:
        return self._desk.entries.problems(self._facts)

    def _update(self) -> None:
        """After a change: show it at once; look around and write the draft when no key is pressed for a moment."""
        self._facts = self._facts.while_typing(self._desk.entries.recipe)
        self._show_memory()
        self._show()
        for timer in self._waiting:
            timer.stop()
        self._waiting = (self.set_timer(_LOOK_AFTER, self._look), self.set_timer(_KEEP_AFTER, self._keep))

    def _show(self) -> None:
        """Bring form, panels and YAML up to the entries."""
        desk, entries, facts = self._desk, self._desk.entries, self._facts
        problems = self._problems()
        self.form.lay_out(sections(entries))
        self.form.fill(entries.states(problems, facts))
        knob = KNOBS[self.form.current.key]
        text = describe(knob, entries, problems, facts)
        self.query_one(RecipePanels).show_help(f"{knob.title} ({knob.path})", text)
        state = "" if desk.saved else " · not saved"
        retitle(self.form, desk.files.name + state)
        yaml = self.query_one("#yaml", TextView)
        if self.has_class("-yaml"):
            retitle(yaml, f"{desk.files.name} as YAML{state}")
            about = "" if desk.files.own is not None else "A tunedeck recipe, not saved yet: ctrl+s"
            document = dumps(entries.recipe, file_name=desk.file_name, about=about)
            yaml.show(lambda: yaml_lines(document), keep_place=True)
        self._checks = checks_of(facts, {path: problem.sentence for path, (_, problem) in entries.wrong.items()})
        self.query_one(RecipePanels).show_checks(self._checks)
        self._show_line()

    @on(FactsRead)
    def _show_facts(self, event: FactsRead) -> None:
        self._facts = event.facts
        known = event.facts.known
        if known is not None and known.device != "cpu" and self._forecasts.automatic and self.is_current:
            self._forecasts.ask(known)
        self._show_memory()
        self._show()
        if self._begun_at == self.form.current.key and not self.form.typing:
            self._begin_at_first_missing()  # what the files say may name another field
        self._begun_at = ""
        self._fill_models()
        if self._sheet is not None:
            self._sheet.show(self._checks)

    def _show_memory(self) -> None:
        """Bring the memory panel up to the facts."""
        known = self._facts.known
        words = "Computing the exact figure …" if self._forecasts.asking(known) else self._forecasts.fault(known)
        self.query_one(RecipePanels).show_facts(self._facts, clean_line(words, 200))

    @on(ForecastEnded)
    def _take_forecast(self) -> None:
        """An exact forecast has been kept, or could not be had: look again."""
        if self._memory_menu is not None:
            self._ask_offers()
            self._fill_memory()
        self._look()

    def _show_line(self) -> None:
        """Say what was said last; else, where the panels have no room, what they would show in brief."""
        words = self._said
        if not words and (self.has_class("-yaml") or not self.has_class("-wide")):
            words = in_brief(self._facts, self._checks)
        self.query_one(WordsLine).say(words)

    @on(RecipeNotice)
    def _show_notice(self, event: RecipeNotice) -> None:
        self._say(event.words)

    def _say(self, words: str) -> None:
        """Say something in the line above the keys, until the next change."""
        self._said = clean_line(words, 400)
        self._show_line()

    # --- what takes time

    @work(thread=True, exclusive=True, group="surroundings")
    def _look(self) -> None:
        facts = self._surroundings.look(self._desk.entries.recipe)
        if not get_current_worker().is_cancelled:
            self.post_message(FactsRead(facts))
            if self._surroundings.unsettled:
                self.app.call_from_thread(self.set_timer, _LOOK_AGAIN, self._look)

    def _keep(self) -> None:
        files = self._desk.files
        self._write_draft(files.path, self._desk.entries.recipe, files.saved)

    @work(thread=True, group="draft")
    def _write_draft(self, path: Path | None, recipe: Recipe, saved: Recipe | None) -> None:
        fault = keep_draft(self.session.workspace, path, recipe, saved)
        if fault:
            self.post_message(RecipeNotice(fault))

    def on_unmount(self) -> None:
        """The app ends: keep what the timer has not kept yet."""
        self._desk.keep()
        self._forecasts.close()

    # --- commands

    def offers(self, command: Command) -> bool:
        """In the YAML, `esc` is the key that is shown for going back to the form."""
        return command.id != "recipe.toggle_yaml" or not self.has_class("-yaml")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A question for a file name comes first; a run is started once."""
        if not self.is_mounted:
            return False
        yaml = self.has_class("-yaml")
        if action in _BEHIND_A_QUESTION and self.query_one(RecipePrompt).display:
            return False
        able = {
            "start": not self._starting,
            "cancel": self._starting,
            "form": yaml,
            "folded": not yaml,
            "search": not yaml,
            "default": not yaml,
            "panel": not yaml and not self.has_class("-wide"),
            "undo": self._desk.can_undo,
            "try_rewards": TASKS[self._desk.entries.recipe.task].generates,
        }
        return able.get(action, True)

    def action_folded(self) -> None:
        """Show or hide the advanced fields."""
        self.form.show_folded = not self.form.show_folded

    def action_panel(self) -> None:
        """Show the next panel."""
        self.query_one(RecipePanels).turn()

    def action_preflight(self) -> None:
        """Show the whole preflight; from there to a field, or to the start."""
        self.form.action_leave()
        sheet = self._sheet = PreflightSheet(self._checks)
        self.app.push_screen(sheet, self._leave_sheet)

    def _leave_sheet(self, chosen: str | None) -> None:
        self._sheet = None
        if chosen == PreflightSheet.START:
            self.action_start()
        elif chosen:
            self._go_to(chosen)

    def action_scroll_panel(self, pages: int) -> None:
        """Scroll the panels."""
        self.query_one(RecipePanels).scroll(pages)

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
        self.form.retype(knob.format(default_of(self._desk.entries.recipe, knob.path)))

    def action_undo(self) -> None:
        """Undo the last change."""
        self.form.action_leave()
        self.form.go_to(self._desk.undo())
        self._update()
        self._say(self._desk.words)
        self.refresh_bindings()

    def action_new(self) -> None:
        """Begin an empty recipe, with the data that is open."""
        self.form.put_down()
        self._desk.new()
        self._update()
        self._begin_at_first_missing()
        self._say("New recipe. Undo (ctrl+_) brings back the previous one.")

    def action_advise(self) -> None:
        """Show the questions before the form, with the answers of last time."""
        from core.runs.advice.questions import Answers
        from tui.recipe.advice import AdvicePage

        workspace = self.session.workspace
        self.form.action_leave()
        self.app.push_screen(AdvicePage(workspace, self._desk.entries.recipe, read_kept(workspace) or Answers()))

    def action_try_rewards(self) -> None:
        """Show what the rewards give to ten samples; a Python file among them has to be allowed first."""
        from tui.recipe.reward_trial import RewardTrialScreen

        self.form.action_leave()
        from core.runs.start import resolve

        recipe = resolve(self._desk.entries.recipe, self.session.workspace)
        missing = [ask for ask in asks_of(recipe) if ask.kind == FILE and not ask.agreed]

        def show(allowed: bool | None) -> None:
            if allowed:
                for ask in missing:
                    ask.agree()
                self.app.push_screen(RewardTrialScreen(recipe, self.session.workspace))

        if missing:
            self.app.push_screen(Agree(missing), show)
        else:
            show(True)

    def action_memory(self) -> None:
        """Show what can be done about the memory."""
        self.form.action_leave()
        if self._facts.known is None:
            self._say(self._facts.model_words or "Reading the model …")
            return
        self._offers = MemoryOffers(self._facts, self._desk.entries.recipe, self.session.workspace)
        menu = FilterMenu("memory", hint="enter applies the marked change", note=clean_line(self._offers.note(), 600))
        self._memory_menu = menu
        self.app.push_screen(menu, self._take_memory)
        self._ask_offers()
        self._fill_memory()

    def _ask_offers(self) -> None:
        """Have the next exact forecast of an offered change computed, once the form's own is known."""
        known = self._facts.known
        if self._offers is not None and self._forecasts.automatic and not self._forecasts.asking(known):
            for question in self._offers.questions():
                if not self._forecasts.fault(question):
                    self._forecasts.ask(question)
                    return

    def _fill_memory(self) -> None:
        if self._memory_menu is not None and self._offers is not None:
            known = self._facts.known
            items = self._offers.items(computing=self._forecasts.asking(known), fault=self._forecasts.fault(known))
            note = clean_line(self._offers.note(), 400)
            self._memory_menu.show(items, note if items else f"{note} Nothing to change.")

    def _take_memory(self, key: str | None) -> None:
        offers, self._memory_menu = self._offers, None
        if key is None or offers is None:
            return
        if key == EXACT and self._facts.known is not None:
            self._forecasts.ask(self._facts.known)
            self._show_memory()
        elif key in offers.values:
            self._desk.replace(offers.apply(key, self._desk.entries.recipe))
            self._update()
            self._say(f"Applied: {offers.title(key)}. Undo with ctrl+_.")

    def action_presets(self) -> None:
        """Choose a preset."""
        self.app.push_screen(PresetMenu(PRESETS, self._desk.entries.recipe), self._take_preset)

    def _take_preset(self, choice: PresetChoice | None) -> None:
        if choice is None:
            return
        preset, recipe = choice.preset, self._desk.entries.recipe
        changed = len(preset.changes(recipe))
        self._desk.replace(preset.on_example(recipe) if choice.example else preset.apply(recipe))
        self._update()
        fields = f"{changed} field{'s' * (changed != 1)} changed"
        where = f", with its example {preset.example_path.name}: F5 starts it" if choice.example else ""
        self._say(f"Applied the preset {preset.name}: {fields}{where}. Undo with ctrl+_. Watch: {preset.watch}.")

    # --- files

    def action_save(self, elsewhere: bool = False) -> None:
        """Save to the recipe's file, or ask for one."""
        if not self._blocked("Not saved:"):
            self.form.action_leave()
            self.query_one(RecipePrompt).save(self._desk, elsewhere=elsewhere)
            self.refresh_bindings()

    def action_load(self) -> None:
        """Ask for the file to open."""
        self.form.action_leave()
        self.query_one(RecipePrompt).open(self._desk)
        self.refresh_bindings()

    @on(RecipePrompt.Done)
    def _filed(self, event: RecipePrompt.Done) -> None:
        self._update()
        if event.opened:
            self._begin_at_first_missing()
        self._say(event.words)
        self._back_to_work()

    @on(RecipePrompt.Cancelled)
    def _back_to_work(self) -> None:
        (self.query_one("#yaml") if self.has_class("-yaml") else self.form).focus()
        self.refresh_bindings()

    # --- the start

    def _blocked(self, words: str, *, rules: bool = False) -> bool:
        """Whether a field is wrong; if so, go to the first one and say why.

        Args:
            words: the sentence's beginning.
            rules: whether a recipe that can be read but not started counts as well.
        """
        # The start checks the surroundings again itself.
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

    def action_start(self, pilot: bool = False, queued: bool = False) -> None:
        """Start a run of the recipe, or a pilot of it; or put it into the queue."""
        if self._blocked("Not started:", rules=True):
            return
        self.form.put_down()  # a digit is a screen again, as the words to come say
        self._begin(pilot_of(self._desk.entries.recipe) if pilot else self._desk.entries.recipe, queued)

    def _begin(
        self, recipe: Recipe, queued: bool, agreed: tuple[ConsentRequest, ...] = (), *, pure_bf16: bool = False
    ) -> None:
        self._starting, self._begun = True, (recipe, queued)
        self._say("Building the training set and starting the run …" if not queued else "Building the training set …")
        self.refresh_bindings()
        self._start(recipe, queued, agreed, pure_bf16)

    @work(thread=True, group="start")
    def _start(self, recipe: Recipe, queued: bool, agreed: tuple[ConsentRequest, ...], pure_bf16: bool) -> None:
        worker = get_current_worker()

        def on_progress(words: str) -> None:
            self.post_message(RecipeNotice(words))

        if self._facts.known is not None and self._facts.known.close:
            self._forecasts.wait(_FORECAST_PATIENCE)
        begin = queue if queued else start
        workspace = self.session.workspace
        self.post_message(begin(recipe, workspace, on_progress, lambda: worker.is_cancelled, agreed, pure_bf16))

    def action_cancel(self) -> None:
        """Start no run after all."""
        self.workers.cancel_group(self, "start")

    def _agreed(self, asks: tuple[ConsentRequest, ...]) -> None:
        """Start what was about to be started, with the user's yes."""
        if self._begun is not None and not self._starting:
            self._begin(*self._begun, asks)

    def _confirmed(self) -> None:
        """Start what was about to be started, in pure bfloat16."""
        if self._begun is not None and not self._starting:
            self._begin(*self._begun, pure_bf16=True)

    @on(StartEnded)
    def _end_start(self, event: StartEnded) -> None:
        self._starting = False
        self._go_to(event.path)
        self._say(event.words)
        self.refresh_bindings()
        if event.asks and self.is_current:
            self.app.push_screen(Agree(event.asks), lambda yes: self._agreed(event.asks) if yes else None)
        if event.confirm and self.is_current:
            question = Confirm("train in pure bfloat16?", event.confirm)
            self.app.push_screen(question, lambda yes: self._confirmed() if yes else None)
        if event.folder is not None:
            self.deck.show_run(event.folder)
