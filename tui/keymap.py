"""The user's own keys: `keymap.toml` in the settings folder names commands by their ids. docs/keymap.md says how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.keys import Keys

from core.clean import clean_line
from core.paths import config_dir
from tui.actions import Command, character, every, long_name

FILE = "keymap.toml"

TYPED = frozenset(
    {"answer", "edit", "filter_menu", "form", "help", "line", "palette", "path", "pick", "picker", "prompt"}
)
"""Scopes of widgets in which text is typed: a printable key is text there and cannot be a command."""

MODAL = frozenset(
    {
        "advice",
        "agree",
        "confirm",
        "edit",
        "field_help",
        "filter_menu",
        "help",
        "mapping",
        "menu",
        "palette",
        "pick",
        "preflight",
        "presets",
        "records",
        "reward_trial",
    }
)
"""Scopes of dialogs: the app's keys do not work behind them."""

INSIDE: dict[str, frozenset[str]] = {
    "form": frozenset({"mapping", "recipe"}),
    "list": frozenset({"data", "duplicates"}),
    "log": frozenset({"train"}),
    "picker": frozenset({"data"}),
    "prompt": frozenset({"export", "overview", "recipe"}),
    "table": frozenset({"compare", "runs"}),
    "text": frozenset({"data", "details", "duplicates", "mapping", "overview", "recipe"}),
}
"""Scopes of widgets, and those of the screens that have such a widget: they work at the same time."""

_ARROWS = {"←": "left", "→": "right", "↑": "up", "↓": "down"}
"""As footer, help and docs write them."""

_MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
_SPELLINGS = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete"}
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter"}
"""Keys for which a terminal sends what it sends for another key."""

_NAMES = frozenset(key.value.rpartition("+")[2] for key in Keys if not key.value.startswith("<"))


@dataclass(frozen=True, slots=True)
class Keymap:
    """The keys that the user has given to commands.

    Attributes:
        keys: by a command's id, its keys as Textual names them, with commas.
        faults: sentences on what in the file was left out.
        textual: what Textual is to be told, for `App.set_keymap`.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    textual: Mapping[str, str] = field(default_factory=dict)

    def of(self, command: Command) -> Command:
        """The command with the user's keys."""
        keys = self.keys.get(command.id)
        return command if keys is None else replace(command, key=keys, shows="")


def load_keymap(path: Path | None = None) -> Keymap:
    """The user's keys; never raises: what is wrong is said in `faults`, and all else in the file applies.

    Args:
        path: the file; None for the user's own.
    """
    path = path or config_dir() / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Keymap()
    except (OSError, ValueError) as error:
        return Keymap(faults=(f"Could not read {path}: {clean_line(str(error), 200)}.",))
    import tomllib  # most people have no such file, and need not wait for it

    try:
        values = tomllib.loads(text)
    except ValueError as error:
        return Keymap(faults=(f"{path} is not valid TOML; no keys were changed: {clean_line(str(error), 200)}.",))
    keys = values.pop("keys", {})
    entries = {**dict(_entries(values)), **dict(_entries(keys if isinstance(keys, dict) else {"keys": keys}))}
    return _keymap(entries, str(path)) if entries else Keymap()


def _entries(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """The ids and what they are given; without quotes, TOML reads `data.drop` as a table `data` with a key `drop`."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _keymap(entries: Mapping[str, object], place: str) -> Keymap:
    from difflib import get_close_matches  # as above

    commands = every()
    wanted: dict[str, tuple[str, ...]] = {}
    faults: list[str] = []
    for id, value in entries.items():
        command = commands.get(id)
        try:
            if command is None:
                near = get_close_matches(id, commands, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else "docs/keys.md lists all."
                raise ValueError(f"unknown command {clean_line(id, 80)}; {hint}")
            wanted[id] = _read_keys(command, value)
        except ValueError as fault:
            faults.append(f"{place}: {fault}")
    own = {id: command.keys for id, command in commands.items()}
    while clash := _clash(wanted, own):
        id, other, key = clash
        del wanted[id]
        faults.append(f"{place}: {id} keeps {', '.join(own[id])}, because {key} is a key of {other}.")
    keys = {id: ",".join(found) for id, found in wanted.items()}
    return Keymap(keys, tuple(faults), {**{id: ",".join(own[id]) for id in _shared(wanted, own)}, **keys})


def _read_keys(command: Command, value: object) -> tuple[str, ...]:
    """The keys that an entry of the file names.

    Raises:
        ValueError: it names none, or one that cannot be a key of the command.
    """
    written = value if isinstance(value, list) else [value]
    found = []
    for each in written or [None]:
        if not isinstance(each, str):
            raise ValueError(f'{command.id} must be a key, such as "x", or a list of keys')
        key = key_name(each)
        if key is None:
            raise ValueError(f'{command.id}: "{clean_line(each, 40)}" is not the name of a key')
        typed = character(key) and key not in command.keys
        if typed and (scope_of(command.id) in TYPED or command.priority):
            raise ValueError(
                f"{command.id}: {clean_line(each, 40)} types text there; use a function key or ctrl with a letter"
            )
        found.append(key)
    return tuple(dict.fromkeys(found))


def key_name(written: str) -> str | None:
    """Textual's name of a key, or None if there is no such key.

    Args:
        written: a character, or a name with or without modifiers, such as `?`, `f5`, `Esc`, `ctrl+shift+left`.
    """
    written = written[:-1] + _ARROWS.get(written[-1:], written[-1:])
    modified, _, base = written.rpartition("+") if len(written) > 1 else ("", "", written)
    modifiers = sorted(modified.lower().split("+")) if modified else []
    if len(base) == 1 and base.isprintable():
        base = long_name(base)
        if modifiers == ["shift"]:
            return base.upper() if base.isalpha() and len(base) == 1 else None
        base = base.lower() if modifiers else base
    else:
        base = _SPELLINGS.get(base.lower(), base.lower())
        if base not in _NAMES and not character(base):
            return None
    if len(set(modifiers)) < len(modifiers) or not set(modifiers) <= set(_MODIFIERS):
        return None
    key = "+".join((*modifiers, base))
    return _SAME.get(key, key)


def scope_of(id: str) -> str:
    """The part of the program to which a command belongs."""
    return id.partition(".")[0]


def _clash(wanted: dict[str, tuple[str, ...]], own: Mapping[str, tuple[str, ...]]) -> tuple[str, str, str] | None:
    """The last entry of the file that gives a command a key of another one that works at the same time.

    Commands that share a key from the start, such as pause and resume, never work at the same time.

    Returns:
        The command, the other one and the key; None where there is no clash.
    """
    keys = {**own, **wanted}
    for id in reversed(wanted):
        for other in keys:
            shared = [key for key in keys[id] if key in keys[other]]
            if shared and other != id and _together(id, other) and not set(own[id]) & set(own[other]):
                return id, other, shared[0]
    return None


def _together(one: str, other: str) -> bool:
    """Whether two commands can work at the same time."""
    first, second = scope_of(one), scope_of(other)
    if "app" in (first, second):
        return not {first, second} & MODAL
    return first == second or second in INSIDE.get(first, ()) or first in INSIDE.get(second, ())


def _shared(wanted: Iterable[str], own: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The other commands of which Textual must be told as well.

    Textual removes a key from all the commands of a widget at once.
    """
    found = set(wanted)
    while True:
        taken = {(scope_of(id), key) for id in found for key in own[id]}
        more = {id for id, keys in own.items() if any((scope_of(id), key) in taken for key in keys)}
        if more == found:
            return found
        found |= more
