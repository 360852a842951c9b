"""Exporting the curated set: read back it is the same, a service's rules hold, and no file is ever written over."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dataset.audit.store import DecisionStore
from core.dataset.dataset import Dataset
from core.dataset.sample import Message, Sample
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.view.plan import build_view
from core.dataset.view.view import CuratedView
from core.dataset.write.hosted import NotHosted, as_hosted, faults
from core.dataset.write.write import ExportFormat, export_view
from core.errors import BadInput
from tui.cli import main

Row = dict[str, Any]
CALL = {"type": "function", "function": {"name": "find", "arguments": {"what": "x", "deep": {"n": [1, None]}}}}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(str.strip)


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def chat(question: str, answer: str, **more: Any) -> Row:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


def curated(path: Path) -> list[Sample]:
    return [Sample.from_json(json.loads(line)["sample"]) for line in path.read_bytes().splitlines()]


def read_back(path: Path) -> list[Sample]:
    dataset = Dataset.open(path)
    dataset.reader.extend()
    return [dataset.sample(entry) for entry in range(dataset.count)]


def rejects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def conversation(turns: list[tuple[str, str, bool]]) -> list[dict[str, Any]]:
    """User and assistant in turn, some with thinking, calls and their answers, some without loss."""

    def said() -> Iterator[dict[str, Any]]:
        for question, answer, odd in turns:
            yield {"role": "user", "content": question}
            if odd:
                yield {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning_content": answer}
                yield {"role": "tool", "content": question, "name": "find"}
                yield {"role": "assistant", "content": answer, "trained": False}
            yield {"role": "assistant", "content": answer}

    return list(said())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(st.tuples(_TEXT, _TEXT, st.booleans()), min_size=1, max_size=3), min_size=1, max_size=6),
    tools=st.booleans(),
    form=st.sampled_from(("jsonl", "parquet")),
)
def test_conversations_read_back_as_the_same_samples(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[tuple[str, str, bool]]], tools: bool, form: ExportFormat
) -> None:
    folder = tmp_path_factory.mktemp("export")
    data = write(
        folder / "a.jsonl",
        [
            {"messages": conversation(turns), **({"tools": [TOOL]} if tools and n % 2 else {})}
            for n, turns in enumerate(rows)
        ],
    )
    view = build_view(folder, paths=[data], eval_fraction=0, drop_flags=())
    exported = export_view(view, form, folder / f"out.{form}")
    assert read_back(exported.path) == curated(view.train)
    assert exported.samples == len(rows)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    "name",
    [
        "dpo_en_demo.json", "kto_en_demo.json", "glaive_toolcall_en_demo.json", "reason_tool_use_demo_50.jsonl",
        "wiki_demo.txt", "v1_sft_demo.jsonl", "mt_bench_question.jsonl",
    ],
)  # fmt: skip
def test_public_data_of_every_kind_read_back_as_the_same_samples(
    public_data: Path, tmp_path: Path, name: str, form: ExportFormat
) -> None:
    view = build_view(tmp_path, paths=[public_data / name], eval_fraction=0.2)
    exported = export_view(view, form, tmp_path / f"out.{form}")
    assert read_back(exported.path) == curated(view.train)
    if view.eval_count:
        assert exported.eval_path is not None
        assert read_back(exported.eval_path) == curated(view.eval)


def test_the_rejects_say_why_and_nothing_is_written_over(tmp_path: Path) -> None:
    rows = [chat(f"what is {number} and why", f"answer {number}") for number in range(12)]
    data = write(tmp_path / "a.jsonl", [*rows, rows[3], chat("no answer", ""), {"messages": 5}])
    data.write_text(data.read_text() + "{broken\n")
    before = data.read_bytes()
    store = DecisionStore(tmp_path)
    store.decide(key_text(row_digest(rows[5]), 0), "drop")
    store.close()
    view = build_view(tmp_path, paths=[data], eval_fraction=0)
    exported = export_view(view, "jsonl", tmp_path / "out.jsonl")
    assert exported.samples == 11
    assert exported.rejects == {"decision": 1, "exact_duplicate": 1, "empty_answer": 1, "unreadable": 1, "bad_line": 1}
    found = {each["reason"]: each for each in rejects(exported.rejects_path)}
    assert found["exact_duplicate"]["row"] == 13
    assert "row 4" in found["exact_duplicate"]["detail"]
    assert Sample.from_json(found["decision"]["sample"]).answer == "answer 5"
    assert found["bad_line"]["line"] == 16
    assert "not valid JSON" in found["bad_line"]["detail"]
    assert {each["file"] for each in found.values()} == {str(data)}
    for path in (data, exported.path, exported.rejects_path):
        with pytest.raises(BadInput, match="already exists"):
            export_view(view, "jsonl", path)
    written = exported.rejects_path.read_bytes()
    other = export_view(view, "jsonl", exported.path.with_suffix(".json"))  # of the same stem
    assert (other.rejects_path.name, exported.rejects_path.read_bytes()) == ("out.rejects-2.jsonl", written)
    assert data.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "a.jsonl", "out.json", "out.jsonl", "out.rejects-2.jsonl", "out.rejects.jsonl"
    ]  # fmt: skip


def test_a_failed_export_leaves_no_file(tmp_path: Path) -> None:
    view = view_of(tmp_path, [chat(f"{number} is a number, which", "yes") for number in range(9)])
    listed = sorted(os.listdir(tmp_path))
    with pytest.raises(BadInput, match=r"at least 10 examples; there are 9"):
        export_view(view, "openai", tmp_path / "out.jsonl")
    assert sorted(os.listdir(tmp_path)) == listed
    with pytest.raises(BadInput, match="no samples can be written as openai"):
        export_view(view_of(tmp_path, [{"text": "plain text"}]), "openai", tmp_path / "out.jsonl")
    assert not list(tmp_path.glob(".out*"))


def view_of(folder: Path, rows: Sequence[Row]) -> CuratedView:
    return build_view(folder, paths=[write(folder / "data.jsonl", rows)], eval_fraction=0, drop_flags=())


def test_the_hosted_form_of_conversations_follows_the_published_rules(tmp_path: Path) -> None:
    talk = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "find x"},
        {"role": "assistant", "content": "", "tool_calls": [CALL, CALL], "reasoning_content": "hm"},
        {"role": "tool", "content": "one", "name": "find"},
        {"role": "tool", "content": "two", "name": "find"},
        {"role": "assistant", "content": "Draft", "train": False},
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": "Found."},
    ]
    rows = [chat(f"question {number}", "answer") for number in range(10)]
    odd = [chat("q", ""), {"messages": talk[:2]}, {"messages": [*talk[:2], talk[3], talk[-1]]}]
    view = view_of(tmp_path, [{"messages": talk, "tools": [TOOL]}, *rows, *odd])
    exported = export_view(view, "openai", tmp_path / "hosted.jsonl")
    assert (exported.samples, exported.rejects, exported.warnings) == (11, {"not_hosted": 3}, ())
    written = [json.loads(line) for line in exported.path.read_bytes().splitlines()]
    assert [list(faults(row)) for row in written] == [[]] * 11
    first = written[0]
    assert first["tools"] == [TOOL]
    calls = first["messages"][2]["tool_calls"]
    assert [turn.get("tool_call_id") for turn in first["messages"][3:5]] == [call["id"] for call in calls]
    assert json.loads(calls[0]["function"]["arguments"]) == CALL["function"]["arguments"]  # type: ignore[index]
    assert [turn.get("weight") for turn in first["messages"]] == [None] * 5 + [0, None, None]
    assert "reasoning_content" not in first["messages"][2]
    assert [each["detail"] for each in rejects(exported.rejects_path)] == [
        "message 2 has no content",
        "the last message is from user; it must be from the assistant",
        "message 3 is a tool result without a tool call",
    ]
    assert read_back(exported.path)[1:] == curated(view.train)[1:11]


def test_pairs_have_the_preference_form_and_other_kinds_are_refused_in_words() -> None:
    prompt, good, bad = Message("user", "q"), Message("assistant", "good"), Message("assistant", "bad")
    pair = Sample("preference", messages=(prompt,), chosen=(good,), rejected=(bad,), tools=(TOOL,))
    assert as_hosted(pair) == {
        "input": {"messages": [{"role": "user", "content": "q"}], "tools": [TOOL]},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    refused = {
        "plain text": Sample("text", text="x"),
        "labeled answer": Sample("kto", messages=(prompt,), chosen=(good,), label=True),
        "must be one assistant message": Sample("preference", messages=(prompt,), chosen=(good, good), rejected=(bad,)),
        "no prompt": Sample("preference", chosen=(good,), rejected=(bad,)),
        "every assistant message has weight 0": Sample(
            "messages", messages=(prompt, Message("assistant", "x", trained=False))
        ),
        "characters other than": Sample(
            "messages", messages=(prompt, good), tools=({"type": "function", "function": {"name": "a b"}},)
        ),
    }
    for words, sample in refused.items():
        with pytest.raises(NotHosted, match=words):
            as_hosted(sample)


def test_the_command_exports_and_refuses_in_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.jsonl", [chat(f"tell me of {number * 77} please", f"answer {number}") for number in range(20)])
    write(tmp_path / "b.jsonl", [chat(f"another {number * 913} thing to ask", "general") for number in range(20)])
    (tmp_path / "recipe.yaml").write_text("data:\n  train: [a.jsonl]\n  mix: [b.jsonl=0.2]\n  eval_fraction: 0\n")
    assert main(["export-data", "a.jsonl", "--out", "all.jsonl", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["samples"], report["eval_path"], report["rejects"]) == (20, None, {})
    assert main(["export-data", "--recipe", "recipe.yaml", "--to", "openai", "--out", "mixed.jsonl"]) == 0
    assert "25 samples  mixed.jsonl" in capsys.readouterr().out
    assert (
        main(["export-data", "a.jsonl", "--held-out", "0.3", "--near", "0", "--to", "parquet", "--out", "p.parquet"])
        == 0
    )
    assert len(read_back(tmp_path / "p.parquet")) + len(read_back(tmp_path / "p.eval.parquet")) == 20
    for words, arguments in (
        ("already exists", ["a.jsonl", "--out", "all.jsonl"]),
        ("dataset", ["--out", "x.jsonl"]),
        ("path=share", ["a.jsonl", "--mix", "b.jsonl", "--out", "x.jsonl"]),
        ("0.5 to 1", ["a.jsonl", "--near", "0.2", "--out", "x.jsonl"]),
    ):
        assert main(["export-data", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_other_columns_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    rows = [
        {"question": f"q {n}", "answer": f"a {n}", "id": n, "messages": "odd", "meta": {"n": [n]}} for n in range(5)
    ]
    rows[3]["id"] = "three"
    first.write_text("{broken\n" + "".join(json.dumps(row) + "\n" for row in rows))
    more = [{"question": f"p {n}", "answer": f"b {n}", "level": n / 2} for n in range(4)]
    second.write_text("".join(json.dumps(row) + "\n" for row in more))
    view = build_view(tmp_path, paths=[first, second], eval_fraction=0.3)
    exported = export_view(view, "jsonl", tmp_path / "out.jsonl", keep_columns=True)
    assert exported.eval_path is not None
    found = [json.loads(line) for path in (exported.path, exported.eval_path) for line in path.open()]
    assert len(found) == 9
    for each in found:
        question = each["messages"][0]["content"]
        if question.startswith("q"):
            n = int(question[2:])
            assert each == {
                "messages": each["messages"],
                "id": rows[n]["id"],
                "source_messages": "odd",
                "meta": {"n": [n]},
            }
        else:
            assert each == {"messages": each["messages"], "level": int(question[2:]) / 2}
    assert any("id" in words and "source_messages" in words for words in exported.warnings)
    table = export_view(view, "parquet", tmp_path / "out.parquet", keep_columns=True)
    reader = Dataset.open(table.path).reader
    reader.extend()
    back = [dict(reader.row(entry).value or {}) for entry in range(reader.count)]
    assert {each["id"] for each in back if each["id"] is not None} <= {"0", "1", "2", '"three"', "4"}
    assert {each["level"] for each in back} <= {None, 0.0, 0.5, 1.0, 1.5}
    with pytest.raises(BadInput, match="no other columns"):
        export_view(view, "openai", tmp_path / "hosted.jsonl", keep_columns=True)
    first.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows[:2])))
    with pytest.raises(BadInput, match="no longer in this file"):
        export_view(view, "jsonl", tmp_path / "again.jsonl", keep_columns=True)


def test_two_exports_of_one_stem_have_rejects_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        rows = [{"prompt": f"{folder} {n}", "completion": f"{folder} {n} yes"} for n in range(3)]
        (tmp_path / folder / "data.jsonl").write_text("{broken\n" + "".join(json.dumps(row) + "\n" for row in rows))
    both = [build_view(tmp_path, paths=[tmp_path / folder / "data.jsonl"], eval_fraction=0.0) for folder in ("a", "b")]
    first = export_view(both[0], "jsonl", tmp_path / "data.jsonl")
    second = export_view(both[1], "parquet", tmp_path / "data.parquet")
    assert first.rejects_path.name == "data.rejects.jsonl"
    assert second.rejects_path.name == "data.rejects-2.jsonl"
    assert str(tmp_path / "a") in first.rejects_path.read_text()
    assert str(tmp_path / "b") in second.rejects_path.read_text()
