"""What the palette lists, and how a command of another screen is reached and run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from textual.actions import parse
from textual.app import App
from textual.screen import Screen

from tui.actions import PLACES, Command, by_id, commands, title_of
from tui.screens.base import StepScreen
from tui.screens.palette import PaletteEntry
from tui.terminal.terminal_bell import ENDED

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.session import Session

_PATIENCE = 5.0
"""Seconds in which a screen that was just opened has read what a command needs."""

_LOOK_EVERY = 0.05

_HERE_ONLY = frozenset({"down", "up", "first", "last", "next hit", "previous hit", "back"})
"""Shared meanings of commands that make no sense from another screen."""

_NEEDS: dict[str, str] = {
    "data.open": "",
    **dict.fromkeys(("train.stop", "train.pause", "train.free_memory", "train.save_checkpoint"), "active run"),
    **dict.fromkeys(("train.stop_now", "train.resume_paused"), "open screen"),
    "train.resume": "ended run",
    "export.copy_adapter": "adapter",
    "export.copy_path": "adapter",
    "export.copy_code": "adapter",
    "evaluate.copy_path": "adapter",
}
"""What must be open for a command that needs more, or less, than the others of its screen (`Place.needs`)."""


def works(screen: Screen[Any], command: Command) -> bool:
    """Whether a screen says that a command of its own would do something now."""
    _, name, arguments = parse(command.action)
    return screen.is_mounted and screen.check_action(name, arguments) is True and _offered(screen, command)


def _offered(screen: Screen[Any], command: Command) -> bool:
    return screen.offers(command) if isinstance(screen, StepScreen) else True


def entry_of(command: Command) -> PaletteEntry:
    """How the palette lists a command."""
    where = title_of(command.id.partition(".")[0])
    return PaletteEntry(command.id, command.label or command.help.rstrip("."), command.shown_key, where, command.help)


def here(screen: Screen[Any], keys: Callable[[Command], Command]) -> dict[str, PaletteEntry]:
    """What works on the screen that is shown, by a command's id, the footer's first.

    Args:
        screen: the screen.
        keys: gives a command the user's keys.
    """
    known = by_id()
    ids = dict.fromkeys(active.binding.id or "" for active in screen.active_bindings.values() if active.enabled)
    listed = [known[id] for id in ids if id in known and id != "app.open_palette" and _offered(screen, known[id])]
    listed.sort(key=lambda command: (command.id.startswith("app."), not command.footer, command.footer))
    return {command.id: entry_of(keys(command)) for command in listed}


def opened(session: Session, state: str) -> frozenset[str]:
    """What is open, in the words of `Place.needs`.

    Args:
        session: the session.
        state: the state of its run, "" where it is not known.
    """
    run = session.run
    facts = {
        "": True,
        "dataset": bool(session.data),
        "run": run is not None,
        "active run": run is not None and state not in ("", *ENDED),
        "ended run": run is not None and state in ENDED,
        "adapter": run is not None and (run / "adapter" / "adapter_config.json").exists(),
    }
    return frozenset(fact for fact, holds in facts.items() if holds)


def elsewhere(
    app: App[Any], facts: frozenset[str], scope: str, keys: Callable[[Command], Command]
) -> Iterator[PaletteEntry]:
    """What would work on the other screens, in the order of the walk.

    A screen that is there says itself what works. Of one that is not, what needs something that is not open is left
    out; the rest turns out on the way.

    Args:
        app: the app.
        facts: what is open, as `opened` says.
        scope: whose keys the screen that is shown has.
        keys: as for `here`.
    """
    known = by_id()
    for place in PLACES:
        if place.scope == scope:
            continue
        screen, step = _mounted(app, place.step, place.scope), _mounted(app, place.step, place.step)
        opener = known.get(place.opened_by)
        if screen is None and opener is not None and step is not None and not works(step, opener):
            continue
        for command in commands([place.scope]):
            if command.answers or command.aside or command.shared in _HERE_ONLY:
                continue
            if screen is not None:
                listed = works(screen, command)
            else:
                listed = _NEEDS.get(command.id, place.needs) in facts
                if opener is not None:  # nothing is shown there about which it could decide
                    listed = listed and not command.decides and not (step is None and place.needs == "")
            if listed:
                yield entry_of(keys(command))


def _mounted(app: App[Any], step: str, scope: str) -> StepScreen | None:
    """The screen with these keys, if it is there."""
    try:
        stack = app.get_screen_stack(step)
    except KeyError:  # the step was not shown yet
        return None
    return next((each for each in stack if isinstance(each, StepScreen) and each.scope == scope), None)


class Errand:
    """Goes to a screen and runs a command there, once it can; says so where it cannot."""

    def __init__(self, app: App[Any], command: Command) -> None:
        """Make it; `start` sets out.

        Args:
            app: the app.
            command: a command of a screen, with the user's keys.
        """
        scope = command.id.partition(".")[0]
        self._app, self._command = app, command
        self._place = next(place for place in PLACES if place.scope == scope)
        self._opened = False
        self._until = time.monotonic() + _PATIENCE
        self._timer: Timer | None = None

    async def start(self) -> None:
        """Go to the step, and on from there as its screens come up."""
        await self._app.switch_mode(self._place.step)
        self._timer = self._app.set_interval(_LOOK_EVERY, self._look)
        await self._look()

    async def _look(self) -> None:
        screen, place = self._app.screen, self._place
        if not isinstance(screen, StepScreen) or place.step != screen.step:
            self._end()  # the user has gone elsewhere
        elif screen.scope == place.scope:
            await self._arrived(screen)
        elif screen.scope != place.step:
            screen.dismiss()  # another screen over the step's own
        elif not self._opened and works(screen, by_id()[place.opened_by]):
            self._opened = True
            await screen.run_action(by_id()[place.opened_by].action)
        elif time.monotonic() > self._until:
            self._say(f"{place.title} cannot be opened right now.")

    async def _arrived(self, screen: StepScreen) -> None:
        command = self._command
        if not works(screen, command):
            if time.monotonic() > self._until:
                self._say(f"“{command.label}” is not possible on {self._place.title} right now.")
        elif command.decides:  # about something that nobody has seen yet
            self._say(f"Press {command.shown_key} to {command.label}.", "information")
        else:
            self._end()
            await screen.run_action(command.action)

    def _say(self, words: str, severity: Any = "warning") -> None:
        self._end()
        self._app.notify(words, severity=severity, markup=False)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.stop()
