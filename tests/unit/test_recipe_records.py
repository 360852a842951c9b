"""A list of small records as entries with fields: what applies is shown, and all of it is one line of text, too."""

from __future__ import annotations

from core.recipe.declare import Problem
from core.recipe.recipe import KNOBS
from core.recipe.sections.data import MixSource
from tui.recipe.records import RecordEntries


def test_entries_are_the_value_and_the_line() -> None:
    found = RecordEntries(KNOBS["data.mix"], "a.jsonl=0.1, b.jsonl=0.2")
    assert found.value == (MixSource("a.jsonl", 0.1), MixSource("b.jsonl", 0.2))
    found.take(1, "share", "0.3")
    assert found.line == "a.jsonl=0.1, b.jsonl=0.3"
    found.remove(0)
    assert found.line == "b.jsonl=0.3"
    assert found.add() == 1
    assert isinstance(found.value, Problem)
    assert "Entry 2: File is missing" in found.value.sentence
    assert found.line == "b.jsonl=0.3"  # until it is a value
    found.take_line("nonsense")
    assert len(found.entries) == 2
    found.take_line("c.jsonl=0.5")
    assert found.value == (MixSource("c.jsonl", 0.5),)


def test_only_the_fields_that_the_entry_asks_for_are_shown() -> None:
    found = RecordEntries(KNOBS["rewards"], "regex=1; pattern=x+")
    assert [column.name for column in found.shown(0)] == ["kind", "weight", "name", "pattern"]
    found.take(0, "kind", "length")
    assert [column.name for column in found.shown(0)] == [
        *("kind", "weight", "name"),
        *("pattern", "min_tokens", "max_tokens"),  # what was set stays in sight
    ]
