"""What the user says of columns: how it is proposed, kept, and obeyed wherever the file is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.dataset import Dataset
from core.dataset.formats import choose, recognize, to_sample
from core.dataset.mapping import Chosen, columns_of, propose, save, saved
from core.dataset.scan.scan import scan
from core.dataset.view.plan import build_view
from core.recipe.mapped import with_mapping
from core.recipe.recipe import Recipe, put
from tui.data.mapping_draft import NONE, MappingDraft

TALK = [
    {"n": n, "talk": [{"by": "Kunde", "line": f"How do I reset it, {n}?"}, {"by": "Berater", "line": "Press reset."}]}
    for n in range(3)
]
TICKETS = [
    {"id": n, "ask": f"How do I reset number {n}?", "say": "Press the reset key.", "ok": n % 2} for n in range(4)
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_turns_of_unusual_keys_and_names_are_proposed_and_read() -> None:
    assert not recognize(TALK).known
    proposed = propose(TALK)
    assert proposed.columns == {
        "messages": "talk",
        "turn.role": "by",
        "turn.content": "line",
        "role.user": "Kunde",
        "role.assistant": "Berater",
    }
    sample = to_sample(TALK[0], choose(TALK, proposed.named, proposed.columns))
    assert [(turn.role, turn.content) for turn in sample.messages] == [
        ("user", "How do I reset it, 0?"),
        ("assistant", "Press reset."),
    ]


@pytest.mark.parametrize(
    ("rows", "format", "columns"),
    [
        (TICKETS, "prompt-completion", {"prompt": "ask", "completion": "say"}),
        ([{"id": 1, "prose": "Once upon a time there was text."}], "text", {"text": "prose"}),
        (
            [{"good": True, "ask": "A question of some length?", "say": "An answer of some length."}],
            "kto",
            {"label": "good", "prompt": "ask", "completion": "say"},
        ),
        ([{"n": 1}], "messages", {}),
    ],
)
def test_a_proposal_is_made_for_any_rows(rows: list[dict[str, Any]], format: str, columns: dict[str, str]) -> None:
    assert propose(rows) == Chosen(format, columns)


def test_labels_are_what_the_user_says_is_good() -> None:
    columns = {"label": "ok", "prompt": "ask", "completion": "say", "label.good": "1|yes"}
    found = choose(TICKETS, "kto", columns)
    assert [to_sample(row, found).label for row in TICKETS] == [False, True, False, True]


def test_the_columns_say_what_they_hold() -> None:
    ids, talk = columns_of(TALK)
    assert (ids.kind, ids.filled, ids.examples) == ("a number", 3, (0, 1, 2))
    assert (talk.name, talk.kind) == ("talk", "turns")


def test_what_was_said_is_kept_for_these_files_alone_and_the_latest_counts(tmp_path: Path) -> None:
    first, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert not saved(tmp_path, [first]).said
    save(tmp_path, [first], Chosen("text", {"text": "body"}))
    save(tmp_path, [first], Chosen("kto", {"label": "ok"}))
    with (tmp_path / ".tunedeck" / "mappings.jsonl").open("a") as file:
        file.write('{"data": ["torn')
    assert saved(tmp_path, [first]) == Chosen("kto", {"label": "ok"})
    assert not saved(tmp_path, [other]).said
    assert not saved(tmp_path, [first, other]).said


def test_scan_view_and_recipe_read_a_file_by_the_mapping_and_the_view_names_it(tmp_path: Path) -> None:
    data = write(tmp_path / "tickets.jsonl", TICKETS)
    columns = {"prompt": "say", "completion": "ask"}  # the other way round than proposed
    save(tmp_path, [data], Chosen("prompt-completion", columns))
    recipe = with_mapping(put(Recipe(), "data.train", (str(data),)), tmp_path)
    assert (recipe.data.format, dict(recipe.data.columns)) == ("prompt-completion", columns)
    found = scan(data, format=recipe.data.format, columns=recipe.data.columns)
    assert (found.flags["unreadable"], dict(found.format.columns)) == (0, columns)
    view = build_view(
        tmp_path, paths=[data], format=recipe.data.format, columns=recipe.data.columns, eval_fraction=0.0, drop_flags=()
    )
    sample = json.loads((view.folder / "train.jsonl").read_text().splitlines()[0])["sample"]
    assert sample["messages"][1]["content"] == "How do I reset number 0?"
    assert json.loads((view.folder / "manifest.json").read_text())["columns"] == columns


def test_a_kept_mapping_that_fits_no_more_is_passed_over(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [{"prompt": "a", "completion": "b"}])
    save(tmp_path, [data], Chosen("prompt-completion", {"prompt": "gone"}))
    assert Dataset.open_as_said([data], Chosen(), tmp_path).recognition.columns["prompt"] == "prompt"


def test_an_eval_file_is_read_by_the_users_mapping_where_it_has_the_columns(tmp_path: Path) -> None:
    rows = [{"prompt": "no", "completion": "no", "ask": "A question?", "say": "An answer."}]
    train = Dataset.open(write(tmp_path / "t.jsonl", rows), "prompt-completion", {"prompt": "ask", "completion": "say"})
    same = train.open_beside([write(tmp_path / "e.jsonl", rows)])
    other = train.open_beside([write(tmp_path / "o.jsonl", [{"question": "q?", "answer": "a"}])])
    assert same.sample(0).answer == "An answer."
    assert other.recognition.name == "question-answer"


def draft(rows: list[dict[str, Any]], chosen: Chosen | None = None) -> MappingDraft:
    return MappingDraft(rows, recognize(rows), chosen or Chosen())


def test_a_draft_changes_one_column_and_keeps_the_rest() -> None:
    rows = [{"instruction": "Say it.", "input": "not this", "output": "It.", "better": "It, better."}]
    form = draft(rows)
    assert (form.format, form.name) == ("auto", "alpaca")
    form.take("output", "better")
    form.take("input", NONE)
    assert form.format == "alpaca"
    sample = form.sample(0)
    assert not isinstance(sample, str)
    assert [turn.content for turn in sample.messages] == ["Say it.", "It, better."]
    found = choose(rows, form.chosen.named, form.chosen.columns)
    assert to_sample(rows[0], found) == sample  # what is kept reads as it was shown
    form.take("format", "auto")
    assert form.chosen == Chosen()


def test_a_draft_without_a_column_that_must_be_there_says_which_and_is_not_taken() -> None:
    form = draft(TICKETS)
    form.take("completion", NONE)
    words, sound = form.words()
    assert not sound
    assert "completion" in words
    assert form.states()["completion"].fault is not None


def test_column_names_that_a_terminal_would_obey_are_shown_clean_and_still_chosen() -> None:
    rows = [
        {"q\x1b[2J": "A question of some length?", "a\x1b]52;c;x\x07": "An answer of some length.", "z": "third text"}
    ]
    form = draft(rows)
    shown = [choice for section in form.sections() for field in section.fields for choice in field.choices]
    assert not any("\x1b" in choice for choice in shown)
    form.take("prompt", next(choice for choice in shown if choice.startswith("a␛")))
    assert form.chosen.columns["prompt"] == "a\x1b]52;c;x\x07"
