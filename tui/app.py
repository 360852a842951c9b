"""The app: which screens there are, what they share, and how they are reached. The work is done elsewhere."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Keymap
from textual.filter import ANSIToTruecolor, LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen

from core.clean import clean_paste
from tui import actions
from tui.actions import STEPS, declare
from tui.keymap import load_keymap
from tui.run_words import run_words
from tui.screens.base import StepScreen
from tui.seen import Press, Seen
from tui.session import Session
from tui.settings import chosen_theme, keep_theme
from tui.terminal.guard import ControlFilter, exit_on_hangup
from tui.terminal.layer import driver_class, frames
from tui.terminal.terminal_bell import ENDED, bell_sequence, ring
from tui.themes import load_themes

if TYPE_CHECKING:
    from textual.driver import Driver
    from textual.timer import Timer

    from core.jobs.status import Status
    from tui.data.desk import OpenDataset

_NO_COLOR = NoColor()

_SETTLED = 2.0
"""Seconds after the start when all modules and widgets of the first screen are there."""

_YOUNG, _OLD = 2_000, 300
"""Objects that are new, and looks at those, after which garbage is looked for among them, and among the older ones."""


def _rest_the_collector() -> None:
    """Whole collections look at every object there is: with a program's 80,000 of them they hold up the keys for 30 ms.

    What is there after the start stays. Of what comes later, `_collect` finds what is garbage, between two pictures;
    while one is painted, where some ten thousand objects come and go, nothing is looked for.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def _collect() -> None:
    """Look for garbage among what is young, and seldom among all that came after the start."""
    young, _, old = gc.get_count()
    if old > _OLD:
        gc.collect(2)
    elif young > _YOUNG:
        gc.collect(1)


def aim_of(screen: Screen[object]) -> Hashable:
    """What a key that decides is about on a screen."""
    return screen.aim if isinstance(screen, StepScreen) else screen


def pictured_on(screen: Screen[object]) -> Iterable[Hashable]:
    """What such a key may be about on a screen of which a picture was just sent."""
    if not screen.is_mounted or screen.has_class("-too-small"):
        return ()
    return screen.pictured() if isinstance(screen, StepScreen) else [screen]


def _data() -> Screen[None]:
    from tui.data.screen import DataScreen

    return DataScreen()


def _recipe() -> Screen[None]:
    from tui.recipe.screen import RecipeScreen

    return RecipeScreen()


def _train() -> Screen[None]:
    from tui.train.screen import TrainScreen

    return TrainScreen()


def _evaluate() -> Screen[None]:
    from tui.evaluate.screen import EvaluateScreen

    return EvaluateScreen()


def _export() -> Screen[None]:
    from tui.export.screen import ExportScreen

    return ExportScreen()


def _runs() -> Screen[None]:
    from tui.runs.screen import RunsScreen

    return RunsScreen()


class TunedeckApp(App[int]):
    """tunedeck in a terminal."""

    TITLE = "tunedeck"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = declare("app", *actions.APP)
    MODES = {
        "data": _data,
        "recipe": _recipe,
        "train": _train,
        "evaluate": _evaluate,
        "export": _export,
        "runs": _runs,
    }

    class RunChanged(Message):
        """The run that the session shows has another state, or another run is shown."""

    def __init__(self, session: Session, *, start: str = "data", theme: str | None = None) -> None:
        """Make the app.

        Args:
            session: what to open.
            start: the screen to begin with, a name of `STEPS`.
            theme: a theme's name; None takes `TUNEDECK_THEME`, else the one chosen last, else dark, and under NO_COLOR
                the terminal's own.
        """
        # Textual reads the first mode from the class while it is being set up.
        type(self).DEFAULT_MODE = start
        super().__init__()
        self.session = session
        self.run_words = ""
        """The state of the session's run in a few words, for the header."""
        self._run_state = ""
        self._live = False
        self._second = 0
        self._collected = 0.0
        self._clock: Timer | None = None
        self._wall: list[LineFilter] = [ControlFilter()]
        self._frames = frames(self)
        self.keymap: Keymap = {}
        """The keys that the user has chosen, by the ids of commands."""
        self.seen = Seen()
        self._typed = inf
        themes, self._faults = load_themes()
        if session.settings.fault:
            self._faults.append(session.settings.fault)
        self._keys = load_keymap()
        self._faults += self._keys.faults
        for loaded in themes:
            self.register_theme(loaded)
        self._theme_names = [loaded.name for loaded in themes]
        wanted = (
            theme or os.environ.get("TUNEDECK_THEME") or ("terminal" if self.no_color else chosen_theme() or "dark")
        )
        if wanted in self._theme_names:
            self.theme = wanted
        else:
            self._faults.append(f"There is no theme {wanted}; there are {', '.join(self._theme_names)}")

    def get_driver_class(self) -> type[Driver]:
        """The driver of the terminal."""
        return driver_class(super().get_driver_class())

    async def on_event(self, event: events.Event) -> None:
        """Clean what is pasted; let a key decide only about what was on the screen when it was typed.

        While a screen asks a question, it gets the keys that answer it and no others.
        """
        if isinstance(event, events.Paste):
            event.text = clean_paste(event.text)
        if isinstance(event, events.Key) and self.asking and event.key not in self.screen.active_bindings:
            return
        if not isinstance(event, events.Key) or not event.is_forwarded or not self.screen_stack:
            await super().on_event(event)
        elif self.seen.by(aim_of(self.screen), event.time) or not self._decides(event.key):
            self._typed = event.time
            try:
                await super().on_event(event)
            finally:
                self._typed = inf

    @property
    def asking(self) -> bool:
        """Whether the screen asks a question."""
        return bool(self.screen_stack) and isinstance(self.screen, StepScreen) and self.screen.asking

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Over a question or a dialog there is no palette."""
        if action == "command_palette":
            return not self.asking and not self.screen.is_modal
        return super().check_action(action, parameters)

    def _decides(self, key: str) -> bool:
        """Whether a key would decide something now."""
        active = self.screen.active_bindings.get(key)
        command = actions.by_id().get(active.binding.id or "") if active is not None else None
        return command is not None and command.decides

    def press(self) -> Press:
        """The key whose action is being done, for a decision that has to wait."""
        return Press(aim_of(self.screen), self._typed)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and behind them the wall against control characters.

        Under NO_COLOR Textual's shades of grey make the terminal's default colours black on black: send none at all.
        The translation of the sixteen ANSI colours, a fifth of what painting costs, has nothing to do: themes have
        colours of their own, or are the terminal's.
        """
        filters = [
            _NO_COLOR if isinstance(each, Monochrome) else each
            for each in super().get_line_filters()
            if not isinstance(each, ANSIToTruecolor)
        ]
        return [*filters, *self._wall]

    def post_display_hook(self) -> None:
        """Note what the terminal shows now."""
        if self._frames.sent:
            self.seen.picture(pictured_on(self.screen), time.monotonic())

    def set_keymap(self, keymap: Keymap) -> None:
        """As Textual; widgets that act on their own keys at once ask for them here."""
        self.keymap = dict(keymap)
        super().set_keymap(keymap)

    def update_keymap(self, keymap: Keymap) -> None:
        """Change some keys."""
        self.set_keymap({**self.keymap, **keymap})

    def on_resize(self) -> None:
        """Terminals rearrange what they show when their size changes, and lose it when the program was suspended."""
        self._frames.forget()

    def action_redraw(self) -> None:
        """Draw everything anew, where something else has written over the screen."""
        self._frames.forget()
        self.screen.refresh()

    def on_mount(self) -> None:
        """Watch the terminal and the run."""
        exit_on_hangup()
        if self._keys.textual:
            self.set_keymap(dict(self._keys.textual))
        for fault in self._faults:
            self.notify(fault, severity="warning", markup=False)
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.set_timer(_SETTLED, _rest_the_collector)
        self._clock = self.set_interval(1.0, self._each_second, pause=self._live)
        if self.session.run is not None:
            self._look_at_run()

    # --- the walk

    def action_step(self, name: str) -> None:
        """Go to a screen of the walk."""
        self.switch_mode(name)

    def action_next_theme(self) -> None:
        """Take the next theme."""
        names = self._theme_names
        self._use_theme(names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0])

    def action_quit_app(self) -> None:
        """Leave; what runs has a keeper of its own."""
        self.exit(0)

    async def action_help(self) -> None:
        """Show the keys of this screen."""
        from tui.screens.help import HelpScreen

        screen = self.screen
        if isinstance(screen, HelpScreen):
            return
        scope = screen.scope if isinstance(screen, StepScreen) else ""
        title = next((title for _, name, title in STEPS if name == scope), scope or "tunedeck")
        ids = [active.binding.id or "" for active in screen.active_bindings.values()]
        inner = [name for name in dict.fromkeys(each.partition(".")[0] for each in ids) if name not in (scope, "app")]
        headings = [(title, scope), *((f"in the {name}", name) for name in inner)]
        if not screen.is_modal:
            headings.append(("everywhere", "app"))
        groups = [(heading, [*map(self._keys.of, actions.commands([name]))]) for heading, name in headings]
        await self.push_screen(HelpScreen(title, [group for group in groups if group[1]]))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette, from the registry."""
        scope = screen.scope if isinstance(screen, StepScreen) else ""
        for command in map(self._keys.of, actions.commands([scope, "app"])):
            if command.label:
                yield SystemCommand(
                    f"{command.label} ({command.shown_key})",
                    command.help,
                    self._runner(screen, command.action),
                )
        for name in self._theme_names:
            yield SystemCommand(f"theme: {name}", "Use this theme.", lambda name=name: self._use_theme(name))

    def _use_theme(self, name: str) -> None:
        """Take a theme, say which it is, and remember it."""
        self.theme = name
        self.notify(f"Theme: {name}", timeout=1.5, markup=False)
        self._keep_theme()

    @work(thread=True, group="theme")
    def _keep_theme(self) -> None:
        fault = keep_theme(self.theme)
        if fault:
            self.call_from_thread(self.notify, fault, severity="warning", markup=False)

    def _runner(self, screen: Screen[object], action: str) -> Callable[[], None]:
        async def run() -> None:
            await screen.run_action(action)

        def later() -> None:
            self.call_later(run)

        return later

    def load_recipe(self, path: Path) -> None:
        """Fill the form in from a recipe file; a file that is no recipe leaves the form as it is."""
        from core.errors import BadInput
        from core.recipe.yamlfile import load

        try:
            self.session.recipe = load(path)
        except BadInput as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.session.recipe_path = path
        if self.session.recipe.data.train:
            self.session.passed_over = self.session.opened
        self.switch_mode("recipe")

    def open_duplicates(self, desk: OpenDataset, payload: Mapping[str, Any], then: Callable[[], object]) -> None:
        """See `tui.deck.Deck`: the screen stands between two that do not know each other."""
        from tui.duplicates.screen import DuplicatesScreen

        def left(_: None) -> None:
            then()

        self.push_screen(DuplicatesScreen(desk, payload), left)

    # --- the run that is shown

    def show_run(self, folder: Path, *, step: str = "train") -> None:
        """Make a run the session's and go to a screen that shows it."""
        self.session.run = folder
        self._run_state = ""
        self.post_message(self.RunChanged())
        self._look_at_run()
        self.switch_mode(step)

    def _each_second(self) -> None:
        """What has to be done now and then; one clock for all of it wakes the program once."""
        _collect()
        self._second += 1
        if not self._live and (not self.session.low_bandwidth or self._second % 10 == 0):
            self._look_at_run()

    @work(thread=True, exclusive=True, group="run state")
    def _look_at_run(self) -> None:
        """Read the run's state in a thread: its folder may lie on a slow network disk."""
        if self.session.run is None:
            return
        from core.jobs.folder import JobFolder
        from core.jobs.state import standing

        found = standing(JobFolder(self.session.run))
        words = run_words(found.state, found.status)
        self.call_from_thread(self._show_run_words, words, found.state)

    def run_seen(self, state: str, status: Status) -> None:
        """The live screen, which says the steps itself, has looked at the run; while it is on, nobody else does."""
        if not self._live:
            self._live = True
            if self._clock is not None:
                self._clock.pause()  # each look does what the clock did: the program wakes once
        now = time.monotonic()
        if now - self._collected >= 1.0:
            self._collected = now
            _collect()
        self._show_run_words(run_words(state, status, progress=False), state)

    def run_unseen(self) -> None:
        """The live screen is no longer on."""
        if self._live:
            self._live = False
            if self._clock is not None:
                self._clock.resume()

    def _show_run_words(self, words: str, state: str) -> None:
        ended = state in ENDED and self._run_state not in ("", *ENDED)
        self._run_state = state
        if ended:
            ring(self, bell_sequence(self.session.title, words, tmux="TMUX" in os.environ))
        if words == self.run_words:
            return
        self.run_words = words
        if isinstance(self.screen, StepScreen):
            self.screen.refresh_header()
