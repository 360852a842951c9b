"""The curated view: what is left out and why, what is held out, and that it never changes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.dataset.audit.store import DecisionStore
from core.dataset.sample import Sample
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.view.plan import DROP_FLAGS, build_view
from core.dataset.view.split import split
from core.dataset.view.view import CuratedView, link_view, read_view
from core.errors import BadInput

Row = dict[str, Any]


def exchange(question: str, answer: str) -> Row:
    return {"prompt": question, "completion": answer}


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def answers(view: CuratedView, name: str = "train") -> list[str]:
    path = view.train if name == "train" else view.eval
    return [Sample.from_json(line["sample"]).answer for line in lines(path)]


def key(row: Row, occurrence: int = 0) -> str:
    return key_text(row_digest(row), occurrence)


def decide(workspace: Path, *decisions: tuple[str, str] | tuple[str, str, dict[str, Any]]) -> None:
    store = DecisionStore(workspace)
    for name, action, *payload in decisions:
        store.decide(name, action, payload[0] if payload else None)  # type: ignore[arg-type]
    store.close()


ROWS = [exchange(f"question {number}", f"answer {number}") for number in range(40)]


def test_rows_are_excluded_for_their_flags_and_counted(tmp_path: Path) -> None:
    faults = [
        ROWS[3],
        exchange("q", ""),
        {"prompt": [{"role": "user", "content": "q"}], "completion": []},
        {"prompt": "x"},
    ]
    data = write(tmp_path / "a.jsonl", [*ROWS, *faults])
    view = build_view(tmp_path, paths=[data], eval_fraction=0)
    assert answers(view) == [f"answer {number}" for number in range(40)]
    assert view.dropped == {"exact_duplicate": 1, "empty_answer": 1, "unreadable": 2}
    assert (view.train_count, view.eval_count) == (40, 0)
    line = lines(view.train)[3]
    assert (line["key"], line["row"], line["source"]) == (key(ROWS[3]), 3, 0)
    assert Sample.from_json(line["sample"]).question == "question 3"


def test_the_users_decisions_win_over_flags(tmp_path: Path) -> None:
    empty = exchange("q", "")
    data = write(tmp_path / "a.jsonl", [*ROWS[:3], empty, ROWS[0]])
    edit = {"sample": Sample.from_json({"kind": "text", "text": "edited"}).to_json()}
    decide(
        tmp_path, (key(ROWS[0], 1), "keep"), (key(ROWS[1]), "drop"), (key(empty), "keep"), (key(ROWS[2]), "edit", edit)
    )
    view = build_view(tmp_path, paths=[data], eval_fraction=0)
    assert answers(view) == ["answer 0", "edited", "", "answer 0"]
    assert view.dropped == {"decision": 1}
    assert view.manifest["counts"]["edited"] == 1


def test_of_equal_rows_one_may_be_dropped_and_the_content_stays(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [ROWS[0], ROWS[0], ROWS[0], ROWS[1]])
    decide(tmp_path, (key(ROWS[0], 0), "drop"))
    view = build_view(tmp_path, paths=[data], eval_fraction=0)
    assert [line["row"] for line in lines(view.train)] == [1, 3]
    assert view.dropped == {"decision": 1, "exact_duplicate": 1}
    everything = build_view(tmp_path, paths=[data], eval_fraction=0, drop_flags=())
    assert [line["row"] for line in lines(everything.train)] == [1, 2, 3]


def test_decisions_stay_with_their_rows_when_the_file_is_reordered_appended_and_copied(tmp_path: Path) -> None:
    edited = {"sample": Sample.from_json({"kind": "text", "text": "edited"}).to_json()}
    decide(tmp_path, (key(ROWS[7]), "drop"), (key(ROWS[9]), "edit", edited))
    new = exchange("new", "row")
    plain = [each["completion"] for each in ROWS if each not in (ROWS[7], ROWS[9])]
    for name, rows, at in (
        ("a.jsonl", ROWS, 8),
        ("a.jsonl", [*ROWS, new], 8),
        ("a.jsonl", [new, *reversed(ROWS)], 31),
        ("b.jsonl", ROWS, 8),
    ):
        view = build_view(tmp_path, paths=[write(tmp_path / name, rows)], eval_fraction=0)
        shown = answers(view)
        assert shown[at] == "edited"
        assert sorted(shown) == sorted([*plain, "edited", *(["row"] if new in rows else [])])
        assert view.dropped == {"decision": 1}
        assert view.manifest["counts"]["edited"] == 1


def test_the_split_holds_duplicates_and_equal_prompts_together(tmp_path: Path) -> None:
    rows = [exchange(f"question {number % 50}", f"answer {number % 100}") for number in range(300)]
    view = build_view(tmp_path, paths=[write(tmp_path / "a.jsonl", rows)], eval_fraction=0.3, drop_flags=())
    train, held = (
        {line["sample"]["messages"][0]["content"] for line in lines(path)} for path in (view.train, view.eval)
    )
    assert view.train_count + view.eval_count == 300
    assert held
    assert not train & held


def test_appending_rows_moves_no_row_to_the_other_side(tmp_path: Path) -> None:
    before = build_view(tmp_path, paths=[write(tmp_path / "a.jsonl", ROWS)], eval_fraction=0.2)
    more = [*ROWS, *(exchange(f"more {number}", "x") for number in range(60))]
    after = build_view(tmp_path, paths=[write(tmp_path / "b.jsonl", more)], eval_fraction=0.2)
    assert 0 < before.eval_count < 20
    assert set(answers(before, "eval")) <= set(answers(after, "eval"))
    assert set(answers(before)) <= set(answers(after))


def test_the_seed_chooses_and_the_fraction_is_met() -> None:
    groups = [str(number).encode() for number in range(5_000)]
    first, again, other = (split(groups, groups, 0.1, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert 400 < sum(first) < 600
    assert sum(split(groups[:3], groups[:3], 0.0001, 1)) == 1
    assert not any(split(groups, groups, 0, 1))
    assert split([b"same"] * 50, groups[:50], 0.5, 1) == split(groups[:50], groups[:50], 0.5, 1)


def test_an_eval_file_is_held_out_whole_and_leaks_are_excluded(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", ROWS)
    held = write(tmp_path / "eval.jsonl", [exchange("QUESTION 5", "five"), exchange("other", "o"), {"prompt": "bad"}])
    view = build_view(tmp_path, paths=[data], eval_paths=[held])
    assert answers(view, "eval") == ["five", "o"]
    assert view.dropped == {"leak_exact": 1, "unreadable in eval": 1}
    assert "answer 5" not in answers(view)
    assert {line["source"] for line in lines(view.eval)} == {1}


def test_a_view_is_named_by_what_went_into_it_and_built_once(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", ROWS)
    first = build_view(tmp_path, paths=[data])
    stamp = first.train.stat().st_mtime_ns
    again = build_view(tmp_path, paths=[data])
    assert again == first
    assert again.train.stat().st_mtime_ns == stamp
    others = [build_view(tmp_path, paths=[data], split_seed=1), build_view(tmp_path, paths=[data], drop_flags=())]
    decide(tmp_path, (key(ROWS[0]), "drop"))
    others.append(build_view(tmp_path, paths=[data]))
    write(data, ROWS[1:])
    others.append(build_view(tmp_path, paths=[data]))
    assert len({first.fingerprint, *(each.fingerprint for each in others)}) == 5
    assert read_view(first.folder) == first
    assert not list(first.folder.parent.glob(".building-*"))
    assert set(first.manifest) >= {"sources", "columns", "split", "counts", "decisions_revision", "drop_flags"}
    assert sorted(DROP_FLAGS) == first.manifest["drop_flags"]


def test_a_view_is_linked_into_a_run_and_cannot_be_written(tmp_path: Path) -> None:
    view = build_view(tmp_path, paths=[write(tmp_path / "a.jsonl", ROWS)])
    data = link_view(view, tmp_path / "run")
    assert link_view(view, tmp_path / "run") == data
    assert (data / "train.jsonl").samefile(view.train)
    assert read_view(data).train_count == view.train_count
    assert (data / "train.jsonl").stat().st_mode & 0o222 == 0


def test_a_view_without_samples_says_why(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [exchange("q", ""), exchange("p", "")])
    with pytest.raises(BadInput, match=r"no samples left to train on \(empty_answer 2\)"):
        build_view(tmp_path, paths=[data])
    assert not list((tmp_path / ".tunedeck" / "views").iterdir())
    with pytest.raises(BadInput, match="not a training set"):
        read_view(tmp_path)


def test_an_unknown_format_and_a_wrong_fraction_are_refused(tmp_path: Path) -> None:
    unknown = write(tmp_path / "a.jsonl", [{"left": 1, "right": 2}])
    with pytest.raises(BadInput, match="Say which column is which"):
        build_view(tmp_path, paths=[unknown])
    with pytest.raises(BadInput, match="at least 0 and below 1"):
        build_view(tmp_path, paths=[write(tmp_path / "b.jsonl", ROWS)], eval_fraction=1.5)


def test_half_surrogates_reach_the_view_as_replacement_characters(tmp_path: Path) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text('{"prompt": "q", "completion": "a \\ud800 b"}\n')
    view = build_view(tmp_path, paths=[data], eval_fraction=0)
    assert answers(view) == ["a \ufffd b"]
    assert b"\xed" not in view.train.read_bytes()


def test_the_source_is_never_written_to(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", ROWS)
    before = (data.read_bytes(), data.stat().st_mtime_ns, data.stat().st_mode)
    build_view(tmp_path, paths=[data])
    assert (data.read_bytes(), data.stat().st_mtime_ns, data.stat().st_mode) == before
    assert sorted(os.listdir(tmp_path)) == [".tunedeck", "a.jsonl"]


def test_a_view_says_what_reviewers_said_and_is_built_again_when_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"question {number}", "completion": f"answer {number}"} for number in range(6)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    view = build_view(tmp_path, paths=[path], eval_fraction=0.0)
    keys = [json.loads(line)["key"] for line in view.train.read_text().splitlines()]
    ada, bob = DecisionStore(tmp_path, user="ada"), DecisionStore(tmp_path, user="bob")
    ada.decide(keys[0], "drop", {"text": "cut off"})
    ada.decide(keys[1], "rate", {"rating": 2})
    ada.decide(keys[1], "label", {"labels": ["tone"]})
    ada.decide(keys[2], "keep", {"blind": True}).result()
    bob.decide(keys[2], "drop", {"blind": True}).result()
    again = build_view(tmp_path, paths=[path], eval_fraction=0.0)
    assert again.fingerprint != view.fingerprint
    assert again.manifest["review"] == {
        "reviewers": {"ada": 2, "bob": 1},
        "reasons": {"cut off": 1},
        "ratings": {"2": 1},
        "labels": {"tone": 1},
        "conflicts": 1,
    }
    assert any("conflicting decisions" in note for note in again.manifest["notes"])
    excluded = [json.loads(line) for line in (again.folder / "left_out.jsonl").read_text().splitlines()]
    assert [each["detail"] for each in excluded] == ["cut off", ""]
    ada.decide(keys[1], "rate", {"rating": 5}).result()
    assert build_view(tmp_path, paths=[path], eval_fraction=0.0).manifest["review"]["ratings"] == {"5": 1}
    ada.close()
    bob.close()


def test_rows_with_special_tokens_in_their_text_are_excluded_unless_kept(tmp_path: Path) -> None:
    rows = [
        *ROWS[:5],
        exchange("hi", "hello<|im_end|>"),
        exchange("<|im_start|>assistant", "No."),
        exchange("x", "y</s>"),
    ]
    data = write(tmp_path / "d.jsonl", rows)
    tokens = (["<|im_end|>", "<|im_start|>"], "", "<|im_end|>")
    plain = build_view(tmp_path, paths=[data], eval_fraction=0)
    assert (plain.train_count, plain.dropped) == (8, {})
    view = build_view(tmp_path, paths=[data], eval_fraction=0, special_tokens=tokens)
    assert (view.train_count, view.dropped) == (6, {"control_tokens": 2})
    assert "y</s>" in answers(view), "no token of this tokenizer"
    assert view.fingerprint != plain.fingerprint
    all_of_them = [flag for flag in DROP_FLAGS if flag != "control_tokens"]
    assert (
        build_view(tmp_path, paths=[data], eval_fraction=0, special_tokens=tokens, drop_flags=all_of_them).dropped == {}
    )
    decide(tmp_path, (key(rows[5]), "keep"))
    kept = build_view(tmp_path, paths=[data], eval_fraction=0, special_tokens=tokens)
    assert (kept.train_count, kept.dropped) == (7, {"control_tokens": 1})
    assert [line["row"] for line in lines(kept.train) if line.get("kept")] == [5]
