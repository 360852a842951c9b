"""What the recognized format does not read is named, and a warning where it looks meaningful."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.formats import recognize, to_sample
from core.dataset.formats.unused import UnusedNames, unused_names
from core.dataset.mapping import Chosen
from core.dataset.scan.scan import scan
from core.recipe.recipe import Data, Recipe
from core.runs.preflight import preflight
from tui.commands.scan_lines import scan_lines
from tui.data.mapping_draft import MappingDraft

ASKED, ANSWERED = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
OTHER = {"role": "assistant", "content": "b"}


def unused(*rows: dict[str, Any]) -> UnusedNames:
    found = recognize(rows)
    return unused_names((row, found, to_sample(row, found)) for row in rows)


@pytest.mark.parametrize(
    ("row", "columns", "keys", "meaningful"),
    [
        ({"text": "t", "label": "neg"}, ["label"], [], ["label"]),
        ({"prompt": "q", "target": "t", "response": "r"}, ["target"], [], ["target"]),
        ({"prompt": "q", "completion": "a", "reasoning": "why", "id": 3, "url": "u", "score": 0.5},
         ["reasoning", "id", "url", "score"], [], ["reasoning"]),
        ({"instruction": "q", "output": "a", "choices": ["x", "y"]}, ["choices"], [], ["choices"]),
        ({"messages": [ASKED, ANSWERED], "images": ["a.png"], "source": "s"}, ["images", "source"], [], ["images"]),
        ({"messages": [ASKED, {**ANSWERED, "rationale": "r", "id": "7"}]}, [], ["rationale", "id"], ["rationale"]),
        ({"messages": [ASKED, {**ANSWERED, "text": "other"}]}, [], ["text"], ["text"]),
        ({"messages": [ASKED, {**ANSWERED, "reasoning": [{"text": "r"}]}]}, [], ["reasoning"], ["reasoning"]),
        ({"messages": [{**ASKED, "train": True}, {**ANSWERED, "train": False}]}, [], ["train"], ["train"]),
        ({"messages": [{**ASKED, "loss_mask": 0}, {**ANSWERED, "loss_mask": 1}]}, [], [], []),
        ({"text": "t", "weight": 0.5}, ["weight"], [], ["weight"]),
        ({"question": "q", "answer": "a", "tools": [{"name": "f"}]}, ["tools"], [], ["tools"]),
        ({"instruction": "q", "instances": [{"input": "", "output": "a", "label": 1}]}, [], ["instances.label"],
         ["instances.label"]),
        ({"prompt": "q", "chosen": {"messages": [ANSWERED], "score": 1}, "rejected": "b"}, [], ["chosen.score"], []),
        ({"prompt": "q", "prompt_id": "1", "chosen": [ASKED, ANSWERED], "rejected": [ASKED, OTHER],
          "messages": [ASKED, ANSWERED], "score_chosen": 8.0}, ["prompt_id", "messages", "score_chosen"], [], []),
        ({"prompt": "q", "messages": [ASKED, ANSWERED]}, ["prompt"], [], []),
        ({"prompt": "q", "chosen": str([ASKED, ANSWERED]), "rejected": str([ASKED, OTHER]),
          "messages": str([ASKED, ANSWERED])},
         ["messages"], [], []),
        ({"prompt": "another", "messages": [ASKED, ANSWERED]}, ["prompt"], [], ["prompt"]),
        ({"prompt": "q", "completion": "a", "history": [], "label": None, "reasoning": ""}, [], [], []),
        ({"prompt": "q", "response": "r", "winner": "gpt-4", "loser": "vicuna-13b"}, ["winner", "loser"], [],
         ["winner", "loser"]),
        ({"question": "q", "A": "red", "B": "blue", "answer": "B"}, ["A", "B"], [], ["A", "B"]),
        ({"question": "q", "Option A": "red", "Option B": "blue", "answer": "B"}, ["Option A", "Option B"], [],
         ["Option A", "Option B"]),
        ({"question": "q", "a": "a whole answer", "B": "x"}, ["B"], [], []),
        ({"Question": "q", "Complex_CoT": "long", "Response": "a"}, ["Complex_CoT"], [], ["Complex_CoT"]),
        ({"prompt": "q", "completion": "a", "think": "why", "hint": "h"}, ["think", "hint"], [], ["think", "hint"]),
        ({"prompt": "q", "completion": "a", "quality": "bad"}, ["quality"], [], ["quality"]),
        ({"instruction": "q", "output": "a", "input_quality": "good", "difficulty": "easy"},
         ["input_quality", "difficulty"], [], []),
        ({"input": "q", "output": "it is on", "reasoning": "on"}, ["reasoning"], [], []),
        ({"input": "q", "output": "one two", "reasoning": "on"}, ["reasoning"], [], ["reasoning"]),
        ({"question": "q", "answer": "blue", "options": {"A": "red", "B": "blue"}, "answer_idx": "B"}, ["answer_idx"],
         [], []),
        ({"text": "Write it.", "code": "print(1)", "title": "T"}, ["code", "title"], [], ["code"]),
        ({"prompt": "q", "response": "a", "is_safe": False, "status": "approved"}, ["is_safe", "status"], [],
         ["is_safe", "status"]),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "chosen_reward": 1.5}, ["chosen_reward"], [], []),
        ({"user": "q", "assistant": "a", "user_2": "r", "chat_history": [["x", "y"]], "conversation_id": "1"},
         ["user_2", "chat_history", "conversation_id"], [], ["user_2", "chat_history"]),
        ({"text": "t", "role": "prompter", "in_gsm8k_train": False}, ["role", "in_gsm8k_train"], [], ["role"]),
        ({"system": "s", "messages": [{"role": "system", "content": "t"}, ASKED, ANSWERED]}, ["system"], [],
         ["system"]),
        ({"system": "s", "messages": [{"role": "system", "content": "s"}, ASKED, ANSWERED]}, [], [], []),
        *(({"messages": [ASKED, {**ANSWERED, key: value}]}, [], [key], [key]) for key, value in (
            ("do_train", False), ("isTrain", 0), ("lossMask", "0"), ("skip", True), ("context_only", "true"),
            ("metadata", {"train": False}),
        )),
        ({"messages": [ASKED, {**ANSWERED, "toxic": False, "redacted": False}]}, [], ["toxic", "redacted"], []),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_and_what_looks_meaningful_is_a_warning(
    row: dict[str, Any], columns: list[str], keys: list[str], meaningful: list[str]
) -> None:
    found = unused(row)
    assert found.to_json() == {"columns": columns, "turn_keys": keys}
    assert list(found.meaningful) == meaningful
    assert bool(found.warnings) == bool(meaningful)
    assert all(any(f"`{name}`" in words for words in found.warnings) for name in meaningful)
    assert all(name in found.words for name in columns + keys)


def test_a_class_is_offered_as_an_answer_and_a_second_answer_says_which_one_is_used() -> None:
    (words,) = unused({"text": "t", "label": "neg"}).warnings
    assert "classification" in words
    assert "prompt=text, completion=label" in words
    (words,) = unused({"prompt": "q", "target": "t", "response": "r"}).warnings
    assert "the answer is `response`" in words
    assert "completion=target" in words


def test_a_flag_on_a_users_turn_and_keys_of_turns_say_what_to_do() -> None:
    (words,) = unused({"messages": [{**ASKED, "train": True}, {**ANSWERED, "train": False}]}).warnings
    assert "only answers are trained on" in words
    (words,) = unused({"messages": [ASKED, {**ANSWERED, "rationale": "r"}]}).warnings
    assert "`rationale` in turns" in words


def test_a_weight_that_is_not_supported_is_a_warning_before_a_run_starts() -> None:
    found = unused({"messages": [ASKED, {**ANSWERED, "weight": 0.3}]})
    assert (found.words, len(found.warnings)) == ("", 1)
    assert "0.3" in found.warnings[0]
    assert unused({"messages": [ASKED, {**ANSWERED, "weight": 0}]}).warnings == ()


def test_a_column_that_comes_late_is_named_by_the_scan_in_text_and_json(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows: list[dict[str, Any]] = [{"prompt": f"q{n}", "completion": "a"} for n in range(300)]
    rows[250]["history"] = [["h", "a"]]
    rows[260]["response"] = "other"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = scan(path)
    assert found.to_json()["unused"] == {"columns": ["response"], "turn_keys": []}, "a late history is read"
    lines = "\n".join(scan_lines(found))
    assert "not used: response" in lines
    assert "warning: `response`" in lines


@pytest.mark.parametrize(
    ("late", "columns", "keys", "meaningful"),
    [
        ({"messages": [ASKED, ANSWERED], "label": "x"}, ["label"], [], ["label"]),
        ({"messages": [ASKED, ANSWERED], "id": 7, "prompt": "another"}, ["prompt"], [], ["prompt"]),
        ({"messages": [ASKED, {**ANSWERED, "rationale": "r"}], "id": 7}, [], ["rationale"], ["rationale"]),
        ({"messages": [{**ASKED, "content": [{"type": "text", "text": "q", "notes": 1}]}, ANSWERED]}, [],
         ["content.notes"], []),
        ({"messages": [ASKED, {**ANSWERED, "reasoning": [{"text": "r"}]}]}, [], ["reasoning"], ["reasoning"]),
        ({"messages": [ASKED, {**ANSWERED, "text": "other"}]}, [], ["text"], ["text"]),
        ({"messages": [{**ASKED, "train": True}, {**ANSWERED, "train": False}]}, [], ["train"], ["train"]),
    ],
)  # fmt: skip
def test_what_comes_after_many_rows_with_the_same_names_is_found(
    late: dict[str, Any], columns: list[str], keys: list[str], meaningful: list[str]
) -> None:
    usual = {"messages": [ASKED, {**ANSWERED, "reasoning": "r"}], "prompt": "q", "id": 7}
    plain = {"messages": [ASKED, ANSWERED], "prompt": "", "id": None}
    flagged = {"messages": [{**ASKED, "train": True}, {**ANSWERED, "train": True}]}
    found = unused(*[usual, plain, flagged] * 30, late)
    rest = [name for name in ("prompt", "id") if name not in columns]
    assert set(found.columns) == {*rest, *columns}
    assert list(found.turn_keys) == keys
    assert list(found.meaningful) == meaningful


def test_preflight_warns_of_what_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{n}", "label": "neg"}) + "\n" for n in range(5)))
    checks = preflight(Recipe(data=Data(train=(str(path),))), tmp_path)
    assert [check.verdict for check in checks if "`label`" in check.sentence] == ["warn"]


def test_the_mapping_form_names_what_a_mapping_does_not_use() -> None:
    rows = [{"text": "t", "label": "neg"}]
    draft = MappingDraft(rows, recognize(rows), Chosen())
    assert "Not used: label." in draft.words()[0]
    draft = MappingDraft(rows, recognize(rows), Chosen("prompt-completion", {"prompt": "text", "completion": "label"}))
    assert "ot used" not in draft.words()[0]


def test_what_only_some_rows_say_is_found_after_rows_that_say_nothing() -> None:
    plain = {"prompt": "q", "completion": "a"}
    rows = [{**plain, "split": "train", "status": "open"}] * 40
    assert not unused(*rows).meaningful
    found = unused(*rows, {**plain, "split": "test", "status": "rejected"})
    assert found.meaningful == ("split", "status")
    assert any("`split`" in words and "'test'" in words for words in found.warnings)


def test_what_looks_like_reasoning_says_how_to_map_it() -> None:
    (words,) = unused({"prompt": "q", "completion": "a", "Complex_CoT": "Hm."}).warnings
    assert "reasoning=Complex_CoT" in words


def test_a_column_without_a_name_is_named_as_such_and_choices_have_a_sentence_of_their_own() -> None:
    assert unused({"prompt": "q", "completion": "a", "": "0"}).words == "not used: (no name)"
    (words,) = unused({"question": "q", "option_a": "red", "option_b": "blue", "answer": "B"}).warnings
    assert "`option_a`, `option_b`" in words
    assert "choices" in words


def test_rows_whose_answers_are_all_excluded_from_the_loss_are_said_before_a_start(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    masked = {"messages": [ASKED, {**ANSWERED, "weight": 0}]}
    for rows, expected in (([masked] * 3, 1), ([masked, {"messages": [ASKED, ANSWERED]}], 0)):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        checks = preflight(Recipe(data=Data(train=(str(path),))), tmp_path)
        said = [each for each in checks if each.verdict == "warn" and "nothing is learned" in each.sentence]
        assert len(said) == expected
