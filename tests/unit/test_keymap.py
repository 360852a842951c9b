"""The file of the user's own keys: what it may say, and that what is wrong in it is said and costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser
from textual.screen import ModalScreen

from core.paths import ROOT
from tests.unit.test_command_registry import declared, subclasses
from tui import actions, keys_document
from tui.keymap import INSIDE, MODAL, TYPED, Keymap, key_name, load_keymap
from tui.terminal.driver import alt_digits


def loaded(tmp_path: Path, text: str) -> Keymap:
    path = tmp_path / "keymap.toml"
    path.write_text(text)
    return load_keymap(path)


@pytest.mark.parametrize(
    "text",
    [
        '"data.drop" = "x"\n"data.export" = ["X", "Ctrl+D"]',
        '[keys]\n"data.drop" = "x"\n"data.export" = ["X", "ctrl+d"]',
        'data.drop = "x"\ndata.export = ["X", "ctrl+d"]',
        '[data]\ndrop = "x"\nexport = ["X", "ctrl+d"]',
    ],
    ids=["quoted", "under keys", "bare", "by scope"],
)
def test_each_way_of_writing_the_file(tmp_path: Path, text: str) -> None:
    found = loaded(tmp_path, text)
    assert found.faults == ()
    assert found.keys == {"data.drop": "x", "data.export": "X,ctrl+d"}


def test_without_a_file_nothing_is_changed(tmp_path: Path) -> None:
    assert load_keymap(tmp_path / "keymap.toml") == Keymap()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"data.dorp" = "x"', "unknown command data.dorp; did you mean data.drop?"),
        ('"zzzzzzzz" = "x"', "unknown command zzzzzzzz; docs/keys.md lists all."),
        ('"data.keep" = "hyper+nothing"', 'data.keep: "hyper+nothing" is not the name of a key'),
        ('"data.keep" = "a,b"', '"a,b" is not the name of a key'),
        ('"data.keep" = "\\u001b[2J"', "is not the name of a key"),
        ('"data.keep" = 7', "data.keep must be a key"),
        ('"data.keep" = []', "data.keep must be a key"),
        ('"data.keep" = ["x", 7]', "data.keep must be a key"),
        ('"line.apply" = "x"', "line.apply: x types text there"),
        ('"form.down" = "space"', "form.down: space types text there"),
        ('"app.open_palette" = ":"', "app.open_palette: : types text there"),
        ('"data.keep" = "e"', "data.keep keeps a, because e is a key of data.edit."),
        ('"data.keep" = "f9"', "f9 is a key of app.next_theme."),
        ('"app.next_theme" = "d"', "app.next_theme keeps f9, because d is a key of"),
        ('"data.keep" = "up"', "up is a key of"),
        ('"table.down" = "v"', "v is a key of runs.compare."),
    ],
)
def test_what_is_wrong_is_a_sentence_and_the_rest_applies(tmp_path: Path, line: str, words: str) -> None:
    found = loaded(tmp_path, f'{line}\n"data.undo" = "U"')
    (fault,) = found.faults
    assert words in fault
    assert str(tmp_path / "keymap.toml") in fault
    assert fault.isprintable()
    assert found.keys == {"data.undo": "U"}


@pytest.mark.parametrize("content", [b'"data.drop" = \n', b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keymap.toml").write_bytes(content)
    found = load_keymap(tmp_path / "keymap.toml")
    assert found.keys == {}
    assert [str(tmp_path / "keymap.toml") in fault for fault in found.faults] == [True]


def test_two_commands_that_want_one_key_get_the_first_and_its_own(tmp_path: Path) -> None:
    found = loaded(tmp_path, '"data.keep" = "q"\n"app.quit" = "ctrl+q"\n"data.drop" = "q"')
    assert found.keys == {"data.keep": "q", "app.quit": "ctrl+q"}
    assert "data.drop keeps d, because q is a key of data.keep." in found.faults[0]


def test_keys_may_be_swapped_and_an_entry_that_is_left_out_gives_no_key_away(tmp_path: Path) -> None:
    assert loaded(tmp_path, '"data.keep" = "d"\n"data.drop" = "a"').faults == ()
    found = loaded(tmp_path, '"data.keep" = "d"\n"data.drop" = "e"')
    assert found.keys == {}
    assert [fault.partition(": ")[2] for fault in found.faults] == [
        "data.drop keeps d, because e is a key of data.edit.",
        "data.keep keeps a, because d is a key of data.drop.",
    ]


def test_commands_that_share_a_key_from_the_start_may_share_another_and_keep_theirs(tmp_path: Path) -> None:
    found = loaded(tmp_path, '"train.pause" = "P"\n"train.resume_paused" = "P"')
    assert found.faults == ()
    found = loaded(tmp_path, '"train.pause" = "P"')
    assert found.textual == {"train.pause": "P", "train.resume_paused": "p"}


def test_a_dialog_may_have_a_key_of_the_app(tmp_path: Path) -> None:
    assert loaded(tmp_path, '"agree.allow" = "f9"').faults == ()


@pytest.mark.parametrize(
    ("written", "key"),
    [
        *(("x", "x"), ("X", "X"), ("shift+x", "X"), ("?", "question_mark"), ("/", "slash"), (",", "comma")),
        *(("+", "plus"), ("ctrl++", None), ("F5", "f5"), ("Esc", "escape"), ("pgdn", "pagedown"), (" ", "space")),
        *(("Ctrl+D", "ctrl+d"), ("shift+ctrl+left", "ctrl+shift+left"), ("alt+1", "alt+1"), ("ctrl+m", "enter")),
        *(("", None), ("ctrl+", None), ("ctrl+ctrl+x", None), ("foo", None), ("\x1b", None), ("shift+!", None)),
    ],
)
def test_names_of_keys(written: str, key: str | None) -> None:
    assert key_name(written) == key


def test_every_key_of_a_command_can_be_written_as_the_page_writes_it() -> None:
    for command in declared().values():
        for key in command.keys:
            assert key_name(key) == key_name(actions.character(key) or key) == key


def test_the_scopes_are_those_of_the_program() -> None:
    """A new dialog, or a widget with keys of its own, is named where clashes are looked for."""
    scopes = {id.partition(".")[0] for id in declared()}
    dialogs = {
        binding.id.partition(".")[0]
        for each in subclasses(ModalScreen)
        if each.__module__.startswith("tui.")
        for binding in each.__dict__.get("BINDINGS", ())
    }
    assert dialogs <= MODAL <= scopes
    assert scopes >= TYPED
    assert set(INSIDE) <= scopes
    screens = scopes - MODAL - TYPED - set(INSIDE) - {"app"}
    assert screens | {"mapping"} >= set().union(*INSIDE.values())
    assert screens == {
        *(name for _, name, _ in actions.STEPS),
        *("compare", "completions", "details", "duplicates", "overview", "samples"),
    }


def test_the_page_in_the_repository_lists_the_commands_of_the_registry() -> None:
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    assert all(f"| `{id}` |" in page for id in declared())
    rows = [line for line in keys_document.document().splitlines() if "`probe." not in line and line != "## probe"]
    assert set(page.splitlines()) == set(rows), "run `python -m tui.keys_document > docs/keys.md`"


def test_the_example_in_the_manual_has_no_fault(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "keymap.md").read_text(encoding="utf-8")
    found = loaded(tmp_path, manual.split("```toml\n")[1].split("```")[0])
    assert found.faults == ()
    assert len(found.keys) == 5


@pytest.mark.parametrize(
    ("key", "sign"),
    [
        ("ctrl+p", "ctrl+p"),
        ("f5", "F5"),
        ("escape", "esc"),
        ("ctrl+underscore", "ctrl+_"),
        ("shift+up", "shift+↑"),
        ("colon", ":"),
    ],
)
def test_a_key_is_written_in_one_way_which_the_file_understands_too(key: str, sign: str) -> None:
    assert actions.sign(key) == sign
    assert key_name(sign) == key


def test_alt_and_a_digit_reach_the_app_as_terminals_send_them() -> None:
    """Textual takes escape and a digit for what a Mac types with the option key."""
    for digit in "123456":
        keys = [getattr(event, "key", "") for event in XTermParser().feed(alt_digits(f"\x1b{digit}"))]
        assert keys == [f"alt+{digit}"]
    assert alt_digits("\x1b[2~ 2 \x1bOA") == "\x1b[2~ 2 \x1bOA"
