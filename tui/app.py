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
from textual.app import App
from textual.binding import Keymap
from textual.filter import ANSIToTruecolor, LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen

from core.clean import clean_line, clean_paste
from tui import actions
from tui.actions import declare
from tui.keymap import load_keymap
from tui.run_words import run_outlives, run_words
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
    from textual.geometry import Size
    from textual.timer import Timer
    from textual.widget import AwaitMount

    from core.jobs.folder import JobFolder
    from core.jobs.status import Status
    from tui.data.desk import OpenDataset
    from tui.screens.palette import Palette, PaletteEntry

_NO_COLOR = NoColor()

_OF_A_RUN = ("train", "evaluate", "export")
"""Screens that show one run: without a chosen one, the newest."""

_SETTLED = 2.0
"""Seconds after the start when all modules and widgets of the first screen are there."""

_HOLD = 0.5
"""Seconds between two looks at whether a question that held a toast back is closed."""

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


_THEME = "theme: "
"""Before the name of a theme, in the palette."""


def _theme_entry(name: str) -> PaletteEntry:
    from tui.screens.palette import PaletteEntry

    return PaletteEntry(_THEME + name, _THEME + name, "", actions.title_of("app"), "Use this theme.")


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
    ENABLE_COMMAND_PALETTE = False  # the app has its own
    BINDINGS = declare("app", *actions.APP)
    CSS = """
    ToastRack { dock: top; align: right top; margin: 1 0 0 0; }
    TunedeckApp.-low-bandwidth ModalScreen { background: transparent; }
    """
    """Toasts are at the top: questions and the command line are at the foot. To dim the screen behind a menu, and to
    undo that, sends all of it."""
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
        self._run_state, self._run_stalled = "", False
        self._followed: JobFolder | None = None
        self._live = False
        self._second = 0
        self._collected = 0.0
        self._clock: Timer | None = None
        self._wall: list[LineFilter] = [ControlFilter()]
        self._frames = frames(self)
        self._terminal_size: Size | None = None
        self.set_class(session.low_bandwidth, "-low-bandwidth")
        self.keymap: Keymap = {}
        """The keys that the user has chosen, by the ids of commands."""
        self.seen = Seen()
        self._typed = inf
        self._held: list[tuple[str, dict[str, Any]]] = []
        """Toasts that wait until a question or a dialog is closed."""
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
            self._faults.append(f"Unknown theme {wanted!r}. Themes: {', '.join(self._theme_names)}.")

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
        if action == "palette":
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

        Under NO_COLOR Textual's shades of grey make the terminal's default colors black on black: send none at all.
        The translation of the sixteen ANSI colors, a fifth of what painting costs, has nothing to do: themes have
        colors of their own, or are the terminal's.
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
            for screen in self.screen_stack:
                if isinstance(screen, StepScreen):
                    screen.picture_sent()

    def set_keymap(self, keymap: Keymap) -> None:
        """As Textual; widgets that act on their own keys at once ask for them here."""
        self.keymap = dict(keymap)
        super().set_keymap(keymap)

    def notify(self, message: str, **options: Any) -> None:
        """As Textual; over a question or a dialog a toast waits until that is closed."""
        if self.asking or (self.screen_stack and self.screen.is_modal):
            if not self._held:
                self.set_timer(_HOLD, self._let_go)
            self._held.append((message, options))
        else:
            super().notify(message, **options)

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for message, options in held:
            self.notify(message, **options)

    def update_keymap(self, keymap: Keymap) -> None:
        """Change some keys."""
        self.set_keymap({**self.keymap, **keymap})

    def on_resize(self, event: events.Resize) -> None:
        """A terminal rearranges what it shows when its size changes, and loses it while the program is suspended."""
        changed, self._terminal_size = event.size != self._terminal_size, event.size
        if self._frames.forget(inf if changed else event.time) and not changed and self.screen_stack:
            self.screen.refresh()  # back from the shell, after `fg`

    def action_redraw(self) -> None:
        """Redraw the whole screen, after another program has written over it."""
        self._frames.forget()
        self.screen.refresh()

    def on_mount(self) -> None:
        """Watch the terminal and the run."""
        exit_on_hangup()
        if self._keys.textual:
            self.set_keymap(dict(self._keys.textual))
        for fault in self._faults:
            self.notify(fault, severity="warning", markup=False)
        self.set_timer(_SETTLED, _rest_the_collector)
        self._clock = self.set_interval(1.0, self._each_second, pause=self._live)
        if self.session.run is not None:
            self._look_at_run()

    # --- the walk

    def action_step(self, name: str) -> None:
        """Go to a screen of the walk."""
        self.switch_mode(name)

    def action_interrupt(self) -> None:
        """Copy what is selected in a field or on the screen; else say how to quit, and what becomes of a run."""
        field = self.focused
        if getattr(field, "selected_text", ""):
            self.call_later(self.run_action, "copy", field)
        elif self.screen.get_selected_text():
            self.screen.action_copy_text()
        else:
            quit = self._keys.of(actions.by_id()["app.quit"])
            keys = " or ".join(map(actions.sign, sorted(quit.keys, key=len)))
            close = "Press esc to close this. " if self.screen.is_modal else ""
            active = self._run_state not in ("", *ENDED)
            does = run_outlives(self._run_state)
            run = f" The run {clean_line(self.session.title, 60)} {does}." if active else ""
            super().notify(f"{close}Press {keys} to quit.{run}", timeout=4, markup=False)

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
        title = actions.title_of(scope) if scope else "tunedeck"
        ids = [active.binding.id or "" for active in screen.active_bindings.values()]
        inner = [name for name in dict.fromkeys(each.partition(".")[0] for each in ids) if name not in (scope, "app")]
        headings = [(title, scope), *((actions.title_of(name), name) for name in inner)]
        if not screen.is_modal:
            headings.append((actions.title_of("app"), "app"))
        groups = [(heading, [*map(self._keys.of, actions.commands([name]))]) for heading, name in headings]
        await self.push_screen(HelpScreen(title, [group for group in groups if group[1]]))

    async def action_palette(self) -> None:
        """List every command of every screen that works now."""
        from tui.errand import Errand, here
        from tui.screens.palette import Palette

        screen = self.screen
        known = here(screen, self._keys.of)
        actives = {active.binding.id: active for active in screen.active_bindings.values()}
        palette = Palette([*known.values(), *map(_theme_entry, self._theme_names)])

        def chosen(entry: PaletteEntry | None) -> None:
            if entry is None:
                return
            if entry.name.startswith(_THEME):
                self._use_theme(entry.label.removeprefix(_THEME))
            elif entry.name in known:
                active = actives[entry.name]
                self.call_later(self.run_action, active.binding.action, active.node)
            else:
                self.call_later(Errand(self, self._keys.of(actions.by_id()[entry.name])).start)

        await self.push_screen(palette, chosen)
        self._list_elsewhere(palette, screen.scope if isinstance(screen, StepScreen) else "")

    @work(thread=True, exclusive=True, group="palette")
    def _list_elsewhere(self, palette: Palette, scope: str) -> None:
        """Bring in the screens that were not shown yet, which takes a moment, and list their commands."""
        actions.every()
        self.call_from_thread(self._add_elsewhere, palette, scope)

    def _add_elsewhere(self, palette: Palette, scope: str) -> None:
        from tui.errand import elsewhere, opened

        if palette.is_attached:
            palette.add(elsewhere(self, opened(self.session, self._run_state), scope, self._keys.of))

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

    def switch_mode(self, mode: str) -> AwaitMount:
        """As Textual. A toast of another screen ends; a screen of a run shows the newest one if none was chosen."""
        if mode != self.current_mode:
            self.clear_notifications()
            if mode in _OF_A_RUN and self.session.run is None:
                self._choose_newest_run()
        return super().switch_mode(mode)

    # --- the run that is shown

    def _choose_newest_run(self) -> None:
        from core.jobs.runs import newest_run

        folder = newest_run(self.session.workspace)
        if folder is not None:
            self.session.run, self._run_state = folder, ""
            self.post_message(self.RunChanged())
            self._look_at_run()

    def show_run(self, folder: Path, *, step: str = "train") -> None:
        """Make a run the session's and go to a screen that shows it."""
        self.session.run = folder
        self._run_state, self._run_stalled = "", False
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
        run = self.session.run
        if run is None:
            return
        from core.jobs.folder import JobFolder
        from core.jobs.state import standing

        if self._followed is None or self._followed.path != run:
            self._followed = JobFolder(run)
        folder = self._followed
        found = standing(folder)
        if not found.over:
            folder.hold()
        if folder.path != run and self.session.run == run:
            self.session.run = folder.path  # it was moved, and is the same run
        words = run_words(found.state, found.status)
        self.call_from_thread(self._show_run_words, words, found.state, stalled=found.status.stalled)

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
        self._show_run_words(run_words(state, status, progress=False), state, stalled=status.stalled)

    def run_unseen(self) -> None:
        """The live screen is no longer on."""
        if self._live:
            self._live = False
            if self._clock is not None:
                self._clock.resume()

    def _show_run_words(self, words: str, state: str, *, stalled: bool = False) -> None:
        ended = state in ENDED and self._run_state not in ("", *ENDED)
        stalls = stalled and not self._run_stalled and self._run_state != ""
        self._run_state, self._run_stalled = state, stalled
        if stalls:
            self.notify("The run has stalled; see Train (3).", severity="warning", markup=False)
        if ended or stalls:
            ring(self, bell_sequence(self.session.title, words, tmux="TMUX" in os.environ))
        if words == self.run_words:
            return
        self.run_words = words
        if isinstance(self.screen, StepScreen):
            self.screen.refresh_header()
