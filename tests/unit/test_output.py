"""JSON that commands print is the value, whatever it is, and plain ASCII."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.commands.output import print_json
from tui.commands.table import COMMANDS
from tui.commands.tree import parser

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_printed_is_read_again(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("sys.stdout.write", printed.append)
        print_json(value)
    text = "".join(printed)
    assert json.loads(text) == value
    assert text.isascii()
    assert text.endswith("\n")


def test_each_field_and_each_item_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"rows": 2, "clusters": [{"rows": [0, 1]}, {"rows": [2, 3]}]})
    assert capsys.readouterr().out.splitlines() == [
        "{",
        '  "rows": 2,',
        '  "clusters": [',
        '    {"rows": [0, 1]},',
        '    {"rows": [2, 3]}',
        "  ]",
        "}",
    ]


def test_one_parser_knows_every_command_with_all_its_options() -> None:
    needed = {
        "scan": ["a.jsonl"],
        "overview": ["a.jsonl"],
        "export-data": ["--out", "b"],
        "train": ["a"],
        "preflight": ["a"],
        "rewards": ["a"],
        "script": ["a"],
        "extend": ["a"],
        "decisions": ["a"],
        "trust": ["."],
        "completion": ["bash"],
        "delete": ["a"],
    }
    whole = parser()
    for name in COMMANDS:
        words = [name, *needed.get(name, ())]
        known, _ = parser(name).parse_known_args(words)
        assert vars(whole.parse_known_args(words)[0]) == vars(known)
        assert known.command == name
