"""Every key that does something is a command in one registry, and its id is a name that users write in their files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from core.paths import ROOT
from tui import actions
from tui.app import TunedeckApp
from tui.keymap import TYPED, scope_of
from tui.screens.pane import Pane

IDS = Path(__file__).with_name("command_ids.txt")

PLAIN_TEXT = {
    "tui/data/edit_field.py": "enter and tab are a line's end and an indent in the text",
    "tui/widgets/form.py": "a space is never the first character of a field",
    "tui/widgets/file_picker.py": "a space is never the first character of a path",
}
"""Modules that compare a key's name because the key is text there, and why."""


def declared() -> dict[str, actions.Command]:
    """The program's commands, without those of screens that tests make."""
    return {id: command for id, command in actions.every().items() if not id.startswith("probe.")}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "tui").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("tui/terminal/"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_the_ids_of_commands_are_frozen() -> None:
    frozen = IDS.read_text(encoding="utf-8").split()
    assert sorted(declared()) == frozen, (
        "The ids of commands are a public interface: people name them in keymap.toml. Add new ids to "
        f"{IDS.name}; one that is renamed or removed breaks their files, so it needs a line in CHANGELOG.md as well."
    )


def test_no_two_commands_share_an_id() -> None:
    actions.every()
    ids = [command.id for scope in actions.scopes() for command in actions.commands([scope])]
    assert len(ids) == len(set(ids))


def test_ids_are_a_scope_and_a_name_in_plain_lower_case() -> None:
    for id in declared():
        scope, _, name = id.partition(".")
        assert scope.replace("_", "").isalpha()
        assert name.replace("_", "").isalpha()
        assert id == id.lower()


def test_only_the_registry_makes_bindings() -> None:
    """Also those of menus and questions: a binding that no command stands for is in no help and cannot be remapped."""
    for name, tree in sources():
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        if name != "tui/actions.py":
            assert "Binding" not in names, name


def subclasses(of: type) -> Iterator[type]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def acts(owner: type, action: str) -> bool:
    """Whether there is the method that an action of this class names."""
    name, _, arguments = action.removesuffix(")").partition("(")
    if name == "pane":
        pane, inner, *_ = ast.literal_eval(f"({arguments},)")
        found = [each for each in subclasses(Pane) if each.__dict__.get("NAME") == pane]
        return any(hasattr(each, f"action_{inner}") for each in found)
    where, _, name = name.rpartition(".")
    owners = {"": [owner], "app": [TunedeckApp], "screen": list(subclasses(Screen))}[where]
    return any(hasattr(each, f"action_{name}") for each in owners)


def test_every_binding_of_our_classes_is_a_command_and_its_action_exists() -> None:
    known = declared()
    ours = [each for each in subclasses(DOMNode) if each.__module__.startswith("tui.")]
    bound = set()
    for each in ours:
        for binding in each.__dict__.get("BINDINGS", ()):
            assert isinstance(binding, Binding), each
            assert binding.id in known, f"{each}: {binding.key}"
            assert acts(each, binding.action), f"{each}: {binding.action}"
            bound.add(binding.id)
    assert bound == set(known)
    assert not [f"{each.__name__}.{name}" for each in ours for name in vars(each) if name.startswith("key_")]


def compares_keys(node: ast.AST) -> bool:
    """Whether this asks which key an event is of, by the key's name."""
    match node:
        case ast.Compare(left=ast.Attribute(value=ast.Name(id="event"), attr="key"), comparators=[right]):
            return isinstance(right, (ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict))
        case ast.Match(subject=ast.Attribute(value=ast.Name(id="event"), attr="key")):
            return True
    return False


def test_no_handler_decides_by_the_name_of_a_key() -> None:
    found = {name for name, tree in sources() if any(map(compares_keys, ast.walk(tree)))}
    assert found == set(PLAIN_TEXT)


@pytest.mark.parametrize(
    "line", ['event.key == "x"', 'event.key in ("x", "y")', 'event.key not in {"x"}', 'event.key in {"x": 1}']
)
def test_such_a_decision_is_found(line: str) -> None:
    assert any(map(compares_keys, ast.walk(ast.parse(line))))


QUESTIONS = {"agree", "confirm"}
"""Scopes that are a question as a whole; in others a command says `answers`."""

MOVES = {"down", "up", "first", "last"}
"""Meanings whose command has all the keys: a letter and an arrow."""


def free(command: actions.Command) -> bool:
    """Whether shared keys may mean something else: where a question is open, or text is typed."""
    return command.answers or scope_of(command.id) in QUESTIONS | TYPED


def meanings(command: actions.Command) -> set[str]:
    return set(filter(None, command.shared.split(",")))


def faults(commands: Iterable[actions.Command]) -> list[str]:
    """What breaks the rule that a shared key means one thing everywhere, and a shared thing has one key."""
    meaning = {key: name for name, keys in actions.SHARED.items() for key in keys}
    found = []
    for command in commands:
        if free(command):
            continue
        named = meanings(command)
        used = {meaning[key] for key in command.keys if key in meaning}
        found += [f"{command.id}: {name} is no shared meaning" for name in named - set(actions.SHARED)]
        found += [f"{command.id} has a key that means {name} everywhere" for name in used - named]
        for name in named & set(actions.SHARED):
            keys = actions.SHARED[name]
            wanted = keys if name in MOVES else keys[:1]
            found += [f"{command.id} means {name}, and lacks {key}" for key in wanted if key not in command.keys]
    return found


def test_a_shared_key_means_the_same_on_every_screen() -> None:
    assert faults(declared().values()) == []


def test_each_shared_meaning_is_that_of_a_command() -> None:
    known = {name for command in declared().values() for name in meanings(command)}
    assert known == set(actions.SHARED)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (actions.Command("probe.a", "d", "x", "x", "X."), "means drop everywhere"),
        (actions.Command("probe.a", "x", "x", "x", "X.", shared="drop"), "lacks d"),
        (actions.Command("probe.a", "j", "x", "x", "X.", shared="down"), "lacks down"),
        (actions.Command("probe.a", "d,a", "x", "x", "X.", shared="drop"), "means keep everywhere"),
        (actions.Command("probe.a", "x", "x", "x", "X.", shared="droop"), "no shared meaning"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.key,
)
def test_a_key_with_another_meaning_is_found(command: actions.Command, fault: str) -> None:
    assert fault in " ".join(faults([command]))


def test_the_app_alone_uses_the_keys_of_steps_and_suspend() -> None:
    taken = {key for command in actions.APP for key in command.keys}
    others = [command for command in declared().values() if scope_of(command.id) != "app" and not free(command)]
    alone = taken - {"f1", "question_mark"}
    assert not [command.id for command in others if alone & set(command.keys)]


def test_each_scope_has_a_title_that_a_user_knows() -> None:
    for id in declared():
        assert actions.title_of(scope_of(id)) != scope_of(id), id


OTHER_SPELLINGS = re.compile(
    r"[Cc]trl-|C-[a-z]\b|Ctrl\+|ctrl\+[A-Z]|ctrl\+underscore|\^[A-Za-z]\b|⇧|\bEsc\b|\bescape key\b"
)
"""Of keys, in a sentence; `actions.sign` has the one that is used: ctrl+p, F5, esc."""


def test_sentences_write_keys_as_footer_and_help_do() -> None:
    found = [
        f"{name}:{node.lineno}: {node.value}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if " " in node.value and '"""' not in node.value and "\n" not in node.value
        if OTHER_SPELLINGS.search(node.value)
    ]
    assert found == []
