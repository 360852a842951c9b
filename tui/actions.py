"""The one registry of keys: bindings, footer, help and palette are made from these tables.

To add a key, add a `Command` to the table of its screen or pane and write the method `action_<action>` there; add
its id to `tests/unit/command_ids.txt` and regenerate docs/keys.md with `python -m tui.keys_document`. While a key would
not work, `check_action` says so; the footer then leaves it out. While a text field has the focus, printable keys belong
to the field, so whatever must work there has an F-key or ctrl.

A screen that is composed of panes declares one table: its own commands and, with `in_pane`, those of its panes, in the
order in which the help lists them. They work wherever in the screen the focus is. Which pane has a command may change,
so an id begins with the screen's name and not with the pane's.

Widgets, menus and dialogs declare their keys here as well; only keys that edit text are no commands. An id is a public
interface: people give a command other keys by it (see `tui.keymap`), so ids are not renamed.

A command that acts at once on what is shown, such as dropping the row under the cursor, says `decides=True`: its key is
ignored if it was typed before that was painted (see `tui.seen`).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from textual.binding import Binding, BindingType
from textual.keys import REPLACED_KEYS, key_to_character

import tui

_SIGNS = {"escape": "esc", "left": "←", "right": "→", "up": "↑", "down": "↓"}


def character(key: str) -> str:
    """The character that a key types, by Textual's name; "" for a key that types none."""
    found = "" if "+" in key else key_to_character(REPLACED_KEYS.get(key, key)) or ""
    return found if found.isprintable() else ""


def long_name(character: str) -> str:
    """Textual's name of the key that types a character, such as `question_mark`."""
    names = {" ": "space", ",": "comma"}  # which mean something else in the text of a binding
    return names.get(character) or next(iter(Binding.make_bindings([Binding(character, "")]))).key


def sign(key: str) -> str:
    """A key as footer, help, palette and sentences write it, such as `ctrl+p`, `F5`, `esc`, by Textual's name."""
    *modifiers, base = key.split("+")
    base = base.upper() if base[0] == "f" and base[1:].isdigit() else _SIGNS.get(base, character(base).strip() or base)
    return "+".join((*modifiers, base))


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that a key does.

    Attributes:
        id: unique, `<scope>.<name>`; users remap keys by it.
        key: Textual's key names, several separated by commas.
        action: the action's name (and arguments), as in `action_<name>`.
        label: the footer's word or two.
        help: one sentence for help and palette.
        footer: rank in the footer, 1 first; 0 keeps it out of the footer.
        shows: how the key is written, where Textual's name would puzzle.
        priority: whether it works even while a text field has the focus.
        aside: whether the help leaves it out, because what it says of another command tells of this one, too.
        decides: whether it decides about what is shown: typed before that was painted, it is not obeyed.
        opens_line: whether text is typed behind the key, in the screen's command line. The screen then acts on the
            key itself, before the keys that follow it: they are text, however fast they come.
        shared: what its shared keys stand for, as `SHARED` names it; several meanings separated by commas.
        answers: whether it answers a question that the screen asks. While one is open, only such keys work.
    """

    id: str
    key: str
    action: str
    label: str
    help: str
    footer: int = 0
    shows: str = ""
    priority: bool = False
    aside: bool = False
    decides: bool = False
    opens_line: bool = False
    shared: str = ""
    answers: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Textual's name of each key."""
        return tuple(long_name(key) if len(key) == 1 else key for key in self.key.split(","))

    @property
    def shown_key(self) -> str:
        """The key as footer and help write it."""
        return self.shows or sign(self.keys[0])

    def shown_with(self, keys: Sequence[str]) -> str:
        """As `shown_key`, where the command works with these keys alone: a field may want the others as text."""
        shown = [key for key in self.keys if sign(key) == self.shown_key] or self.keys[:1]
        return self.shown_key if set(shown) & set(keys) else sign(keys[0])

    def binding(self) -> Binding:
        """The Textual binding that this command stands for."""
        return Binding(
            self.key,
            self.action,
            self.label,
            show=bool(self.footer),
            key_display=self.shown_key,
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )


STEPS: tuple[tuple[str, str, str], ...] = (
    ("1", "data", "Data"),
    ("2", "recipe", "Recipe"),
    ("3", "train", "Train"),
    ("4", "evaluate", "Evaluate"),
    ("5", "export", "Export"),
    ("6", "runs", "Runs"),
)
"""The walk: key, screen and title, in order."""


@dataclass(frozen=True, slots=True)
class Place:
    """A screen, as help, palette and docs name it.

    Attributes:
        scope: whose commands it has.
        title: its name.
        step: the step of the walk on which it is, or from which it is opened.
        opened_by: the id of the command of the step that opens it; "" for the step's own screen.
        needs: what must be open for its commands: `dataset`, `run`, or "" for nothing.
    """

    scope: str
    title: str
    step: str
    opened_by: str = ""
    needs: str = ""


PLACES: tuple[Place, ...] = (
    Place("data", "Data", "data", needs="dataset"),
    Place("duplicates", "Duplicates", "data", "data.open_duplicates", "dataset"),
    Place("overview", "Overview", "data", "data.open_overview", "dataset"),
    Place("mapping", "Columns", "data", "data.edit_mapping", "dataset"),
    Place("recipe", "Recipe", "recipe"),
    Place("train", "Train", "train", needs="run"),
    Place("samples", "Sample outputs", "train", "train.show_samples", "run"),
    Place("details", "Recipe and data of a run", "train", "train.show_recipe", "run"),
    Place("evaluate", "Evaluate", "evaluate", needs="run"),
    Place("export", "Export", "export", needs="run"),
    Place("runs", "Runs", "runs"),
    Place("compare", "Compare runs", "runs", "runs.compare"),
)
"""The screens, in the order of the walk."""

PARTS: dict[str, str] = {
    "app": "Everywhere",
    "list": "Lists of rows",
    "table": "Tables",
    "text": "Texts",
    "log": "Log and events",
    "form": "Forms",
    "line": "Typing a line of text",
    "prompt": "Typing a file name",
    "answer": "Typing a file name: confirm",
    "path": "Typing a file name: completion",
    "picker": "Choosing a data file",
    "menu": "Menus",
    "pick": "Pick lists",
    "presets": "Presets",
    "records": "A list of entries (rewards, mixed-in files)",
    "preflight": "Preflight sheet",
    "advice": "Advice: questions before the form",
    "filter_menu": "Menus with a filter",
    "completions": "Completions",
    "reward_trial": "Reward test",
    "agree": "Permission question",
    "confirm": "Question before a start",
    "edit": "Editing a row",
    "field_help": "Help on a field",
    "help": "Help",
    "palette": "Commands",
}
"""Parts of screens, menus and dialogs that have keys: a title by scope."""


def title_of(scope: str) -> str:
    """The name of a screen, or of a part of screens, that has commands."""
    return next((place.title for place in PLACES if place.scope == scope), PARTS.get(scope, scope))


SHARED: dict[str, tuple[str, ...]] = {
    "down": ("j", "down"),
    "up": ("k", "up"),
    "first": ("g", "home"),
    "last": ("G", "end"),
    "go to row": ("colon",),
    "search": ("slash",),
    "next hit": ("n",),
    "previous hit": ("N",),
    "undo": ("u", "ctrl+underscore"),
    "keep": ("a",),
    "drop": ("d",),
    "open": ("enter",),
    "open other": ("o",),
    "filter": ("f",),
    "copy": ("y",),
    "delete": ("D",),
    "help": ("f1", "question_mark"),
    "quit": ("q", "ctrl+q"),
    "back": ("escape",),
    "suspend": ("ctrl+z",),
    **{f"step {key}": (key,) for key, _, _ in STEPS},
}
"""What has the same key on every screen, by its meaning: its keys, of which a command with that meaning has the first.

No other command uses these keys, except where text is typed or a question is open.
"""

APP: tuple[Command, ...] = (
    *(
        Command(
            f"app.go_to_{name}",
            f"{key},alt+{key}",
            f"step('{name}')",
            title,
            f"Go to step {key}, {title}.",
            shared=f"step {key}",
        )
        for key, name, title in STEPS
    ),
    Command(
        "app.show_help", "f1,question_mark", "help", "help", "Show the keys of this screen.", 90, "?", shared="help"
    ),
    Command("app.next_theme", "f9", "next_theme", "theme", "Switch to the next theme: dark, light, terminal."),
    Command(
        "app.open_palette",
        "ctrl+p",
        "palette",
        "commands",
        "Find a command of any screen and run it.",
        80,
        priority=True,
    ),
    Command(
        "app.suspend",
        "ctrl+z",
        "suspend_process",
        "suspend",
        "Suspend tunedeck and return to the shell; fg resumes it.",
        priority=True,
        shared="suspend",
    ),
    Command("app.redraw", "ctrl+l", "redraw", "redraw", "Redraw the screen, if another program wrote over it."),
    Command(
        "app.explain_quit",
        "ctrl+c",
        "interrupt",
        "how to quit",
        "Copy the selection, or say how to quit.",
        priority=True,
    ),
    Command("app.quit", "ctrl+q,q", "quit_app", "quit", "Quit tunedeck. Runs keep running.", 95, "q", shared="quit"),
)

_TABLES: dict[str, tuple[Command, ...]] = {"app": APP}


def declare(scope: str, *commands: Command) -> list[BindingType]:
    """Enter a screen's commands into the registry and return their Textual bindings.

    A screen says `BINDINGS = declare("data", Command(...), ...)`; an id must begin with its scope.
    """
    for command in commands:
        if not command.id.startswith(f"{scope}."):
            raise ValueError(f"the command {command.id} does not belong to the scope {scope}")
    _TABLES[scope] = commands
    return [command.binding() for command in commands]


def in_pane(pane: str, commands: Iterable[Command]) -> list[Command]:
    """The commands of a pane as its screen declares them: `StepScreen` hands each action on to the pane.

    Args:
        pane: the pane's `NAME`.
        commands: whose actions are methods of the pane.
    """
    found = []
    for command in commands:
        name, _, arguments = command.action.removesuffix(")").partition("(")
        parts = ", ".join(filter(None, (repr(pane), repr(name), arguments)))
        found.append(replace(command, action=f"pane({parts})"))
    return found


def commands(scopes: Iterable[str]) -> list[Command]:
    """The commands of some scopes, in the order of their declaration."""
    return [command for scope in scopes for command in _TABLES.get(scope, ())]


def scopes() -> list[str]:
    """The scopes that have been declared so far."""
    return list(_TABLES)


def every() -> dict[str, Command]:
    """Every command of the program, by its id; imports all screens, panes and widgets."""
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.count(".") > 1 and not module.name.startswith(("tui.commands.", "tui.terminal.")):
            import_module(module.name)
    return by_id()


def by_id() -> dict[str, Command]:
    """Every command that has been declared so far, by its id."""
    return {command.id: command for table in _TABLES.values() for command in table}
