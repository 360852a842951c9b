"""Recognising formats and turning rows into samples, on made-up rows and on real public files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.dataset import Dataset
from core.dataset.formats import FORMATS, choose, recognize, to_sample
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample
from core.dataset.scan.scan import scan
from core.engine.template import as_template_turn
from core.errors import BadInput
from tests.kit.clock import slow_time

Q, A = Message("user", "q"), Message("assistant", "a")


def sample(row: dict[str, Any]) -> Sample:
    return to_sample(row, recognize([row]))


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}, "messages"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "sharegpt"),
        ({"conversation": [{"role": "human", "content": "q"}, {"role": "bot", "content": "a"}]}, "messages"),
        ({"instruction": "q", "input": "", "output": "a"}, "alpaca"),
        ({"instruction": "q", "context": "", "response": "a", "category": "x"}, "alpaca"),
        ({"prompt": "q", "completion": "a"}, "prompt-completion"),
        ({"prompt": "q", "response": "a"}, "prompt-completion"),
        ({"input": "q", "output": "a"}, "prompt-completion"),
        ({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
         "prompt-completion"),
        ({"question": "q", "answer": "a"}, "question-answer"),
        ({"instruction": "q", "instances": [{"input": "", "output": "a"}]}, "instances"),
        ({"Prompt": "q", "Completion": "a"}, "prompt-completion"),
        ({"messages": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'}, "messages"),
    ],
)  # fmt: skip
def test_every_spelling_of_one_exchange_gives_the_same_sample(row: dict[str, Any], name: str) -> None:
    recognition = recognize([row])
    assert recognition.name == name
    assert recognition.why.endswith(".")
    assert to_sample(row, recognition) == Sample("messages", (Q, A))


def test_alpaca_joins_input_history_and_system() -> None:
    row = {"instruction": "do", "input": "this", "output": "a", "system": "s", "history": [["q", "a"]]}
    system, *turns = sample(row).messages
    assert system == Message("system", "s")
    assert turns == [Q, A, Message("user", "do\nthis"), A]


EARLIER = (Message("user", "h1"), Message("assistant", "a1"))
HISTORY = [["h1", "a1"]]


@pytest.mark.parametrize(
    "row",
    [
        {"query": "q", "response": "a"},
        {"question": "q", "answer": "a"},
        {"prompt": "q", "response": "a"},
        {"prompt": [{"role": "user", "content": "q"}], "completion": "a"},
        {"instruction": "q", "input": "", "output": "a"},
        {"query": "q", "response": "a", "label": True},
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"prompt": [{"role": "user", "content": "q"}], "chosen": "a", "rejected": "b"},
    ],
)
@pytest.mark.parametrize(
    "history",
    [
        HISTORY,
        json.dumps(HISTORY),
        [{"role": "user", "content": "h1"}, {"role": "assistant", "content": "a1"}],
        [{"from": "human", "value": "h1"}, {"from": "gpt", "value": "a1"}],
    ],
)
def test_earlier_turns_in_a_history_are_turns_of_every_format(row: dict[str, Any], history: Any) -> None:
    found = sample({**row, "history": history, "system": "s"})
    assert (*found.messages, *found.chosen) == (Message("system", "s"), *EARLIER, Q, A)
    for empty in ([], None, "", "[]"):
        assert sample({**row, "history": empty}) == sample(row)
    for wrong in ([["h1"]], "long ago"):
        with pytest.raises(Unreadable, match="history"):
            sample({**row, "history": wrong})


def test_a_message_keeps_media_ids_spans_and_weight_and_templates_get_only_what_a_talk_says() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {}}, "id": "c1"}
    turn = Message("assistant", "a b", tool_calls=(call,), media=("image",), untrained=((0, 2),), weight=0.5)
    result = Message("tool", "1", tool_call_id="c1")
    assert [Message.from_json(each.to_json()) for each in (turn, result)] == [turn, result]
    assert as_template_turn(turn) == {"role": "assistant", "content": "a b", "tool_calls": [call]}
    assert as_template_turn(result) == {"role": "tool", "content": "1", "tool_call_id": "c1"}
    assert Message("user", "q").to_json() == {"role": "user", "content": "q"}


def test_parts_bring_text_reasoning_calls_and_weights() -> None:
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {}}]},
            {
                "role": "assistant",
                "loss_weight": 0.0,
                "content": [
                    {"type": "reasoning", "value": "hm"},
                    {"type": "tool_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
                ],
            },
            {"role": "tool", "content": "1", "name": "f"},
            {"role": "assistant", "content": "a", "tool_calls": [{"function": {"name": "g", "arguments": '{"y": 2}'}}]},
        ],
        "tools": '[{"name": "f", "parameters": {}}]',
    }
    found = sample(row)
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    assert (found.messages[0].content, found.messages[0].media) == ("q", ("image",))
    assert found.messages[1] == Message("assistant", "", reasoning="hm", tool_calls=(call,), trained=False)
    assert found.messages[2].name == "f"
    assert found.messages[3].tool_calls[0]["function"] == {"name": "g", "arguments": {"y": 2}}
    assert found.tools == ({"type": "function", "function": {"name": "f", "parameters": {}}},)


def test_a_function_call_of_its_own_joins_the_answer_before_it() -> None:
    row = {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "a"},
            {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
            {"from": "observation", "value": "1"},
        ]
    }
    assert [turn.role for turn in sample(row).messages] == ["user", "assistant", "tool"]
    assert sample(row).messages[1].tool_calls


TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
WORSE = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"prompt": "q", "chosen": TURNS, "rejected": WORSE},
        {"chosen": TURNS, "rejected": WORSE},
        {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": WORSE[1:]},
        {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"},
         "rejected": {"from": "gpt", "value": "b"}},
        {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
        {"question": "q", "response_chosen": "a", "response_rejected": "b"},
    ],
)  # fmt: skip
def test_preference_in_every_form_keeps_both_answers(row: dict[str, Any]) -> None:
    assert sample(row) == Sample("preference", (Q,), chosen=(A,), rejected=(Message("assistant", "b"),))


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURNS, "label": False},
        {"prompt": "q", "completion": "a", "label": False},
        {"prompt": "q", "completion": "a", "label": "False"},
        {"instruction": "q", "input": "", "output": "a", "kto_tag": False},
    ],
)
def test_kto_keeps_the_label(row: dict[str, Any]) -> None:
    assert sample(row) == Sample("kto", (Q,), chosen=(A,), label=False)


@pytest.mark.parametrize(
    "labels",
    [(0, 1), ("0", "1"), (0.0, 1.0), ("0.0", "1.0"), ("bad", "good"), ("Bad ", "GOOD"), (0, "good"), ("0", True),
     (False, 1), ("undesirable", "desirable"), ("rejected", "chosen")],
)  # fmt: skip
def test_kto_labels_are_read_as_bad_and_good(labels: tuple[Any, Any]) -> None:
    rows = [{"prompt": f"q{number}", "completion": "a", "label": labels[number % 2]} for number in range(6)]
    found = recognize(rows)
    assert (found.name, found.kind) == ("kto", "kto")
    assert "`label` true, 1 or good means a good answer" in found.why
    assert [to_sample(row, found).label for row in rows] == [False, True] * 3


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("prompt", "completion"), ("query", "response"), ("question", "answer"), ("input", "output"), ("q", "a"),
     ("instruction", "output"), ("source", "target"), ("user", "assistant"), ("question", "solution")],
)  # fmt: skip
def test_a_labeled_answer_is_never_read_as_a_supervised_one(asked: str, answered: str) -> None:
    assert recognize([{asked: "q", answered: "a"}]).kind == "messages"
    assert sample({asked: "q", answered: "a", "label": 0}) == Sample("kto", (Q,), chosen=(A,), label=False)


def test_a_format_is_told_by_the_same_rows_however_fast_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [number % 2 for number in range(28)] + [2] * 12
    rows = [{"prompt": "q" * 20_000, "completion": "a", "label": label} for label in labels]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr("core.dataset.files.index.time", slow_time())
    assert Dataset.open(path).recognition.name == "prompt-completion", "the first piece of the file has 13 rows"
    path.write_text("".join(json.dumps({**row, "prompt": "q" * 200_000}) + "\n" for row in rows))
    dataset = Dataset.open(path)
    assert dataset.recognition.name == "kto"
    assert 20 < dataset.count < 28, "of large rows fewer are looked at"


def test_a_label_that_is_no_verdict_does_not_make_kto() -> None:
    for labels in ((3,), (0, 1, 2), ("0", "1", "2"), (1, 0, -1), (0.5, 1.0), ("sports", "1")):
        rows = [{"prompt": "q", "completion": "a", "label": label} for label in (*labels, None)]
        assert recognize(rows).name == "prompt-completion"
    assert recognize([{"text": "q", "label": "sports"}]).name == "text"
    found = recognize([{"prompt": "q", "completion": "a", "label": label} for label in (0, 1, "good")])
    with pytest.raises(Unreadable, match="1 or 0, good or bad, but it is 'neutral'"):
        to_sample({"prompt": "q", "completion": "a", "label": "neutral"}, found)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": [{"role": "narrator", "content": "q"}]}, "turn 1: unknown role 'narrator'"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "user"}]}, "turn 2: no content"),
        ({"messages": [{"role": "user", "content": 5}]}, "should be text, but it is a number"),
        ({"messages": []}, "empty"),
        ({"messages": None}, "null"),
        ({"other": 1}, "No `messages` in this row; it has `other`"),
        (
            {"prompt": "q", "completion": "a", "messages": None},
            "`messages` is null in this row; it has `prompt`, `completion`",
        ),
        ({}, "No `messages` in this row; it is empty"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"name": "f", "arguments": "{oops"}]}]}, "JSON"),
        ({"messages": [{"role": "user", "content": "q"}], "tools": "oops"}, "expected JSON"),
    ],
)
def test_a_row_that_cannot_be_formatted_says_why(row: dict[str, Any], reason: str) -> None:
    recognition = choose([{"messages": TURNS, "tools": "[]"}], "messages")
    with pytest.raises(Unreadable, match=reason):
        to_sample(row, recognition)


@pytest.mark.parametrize(
    ("rows", "row", "reason"),
    [
        (
            {"prompt": "q", "completion": "a"},
            {"text": "t"},
            "No `prompt` and no `completion` in this row; it has `text`",
        ),
        ({"prompt": "q", "completion": "a"}, {"prompt": "q"}, "No `completion` in this row; it has `prompt`"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": "a"}, "No `rejected` in this row"),
        ({"prompt": "q", "completion": "a", "label": True}, {"prompt": "q", "label": True}, "No `completion` in this"),
        ({"instruction": "q", "output": "a"}, {"prompt": "q", "completion": "a"}, "No `instruction` and no `output`"),
        (
            {"conversations": [{"from": "human", "value": "q"}]},
            {"messages": []},
            "No `conversations` in this row; it has `m",
        ),
        ({"instruction": "q", "instances": [{"output": "a"}]}, {"instruction": "q"}, "No `instances` in this row"),
        ({"turns": ["q"]}, {"reference": ["a"]}, "No `turns` in this row; it has `reference`"),
        ({"text": "t"}, {f"c{number}": 1 for number in range(10)}, "`c7` and 2 more"),
    ],
)
def test_a_row_without_a_column_names_the_columns_that_it_has(
    rows: dict[str, Any], row: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        to_sample(row, recognize([rows]))


def test_the_user_corrects_mapping_and_format() -> None:
    rows = [{"frage": "q", "antwort": "a", "text": "t"}]
    assert recognize(rows).name == "text"
    columns = {"prompt": "frage", "completion": "antwort"}
    assert to_sample(rows[0], choose(rows, None, columns)) == Sample("messages", (Q, A))
    assert choose(rows, "prompt-completion", columns).columns == columns
    for name, wrong, words in (
        ("prompt-completion", None, "needs a column for prompt, completion"),
        ("prompt-completion", {"prompt": "nope"}, "no column 'nope'"),
        ("prompt-completion", {"nope": "text"}, "no field 'nope'"),
        ("nope", None, "Formats: .*preference"),
    ):
        with pytest.raises(BadInput, match=words):
            choose(rows, name, wrong)


def test_an_unknown_shape_names_its_columns_and_raises_nothing() -> None:
    recognition = recognize([{"left": 1, "right": [2]}])
    assert (recognition.name, recognition.kind, recognition.known) == ("unknown", None, False)
    assert "`left`, `right`" in recognition.why
    with pytest.raises(Unreadable):
        to_sample({"left": 1}, recognition)


def test_every_sample_survives_its_json() -> None:
    rows = [
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"messages": TURNS, "label": True},
        {"text": "t"},
        {"conversations": [{"from": "function_call", "value": '{"name": "f"}'}], "tools": '[{"name": "f"}]'},
    ]
    for row in rows:
        assert Sample.from_json(json.loads(json.dumps(sample(row).to_json()))) == sample(row)


def test_format_names_are_unique_and_explained() -> None:
    assert len({each.name for each in FORMATS}) == len(FORMATS)
    assert all(each.title and each.fields for each in FORMATS)


PUBLIC = {
    "alpaca_en_demo.json": ("alpaca", 999),
    "alpaca_zh_demo.json": ("alpaca", 1000),
    "c4_demo.jsonl": ("text", 300),
    "dpo_en_demo.json": ("preference", 300),
    "glaive_toolcall_en_demo.json": ("sharegpt", 300),
    "gpteacher_toolformer.json": ("alpaca", 7673),
    "gpteacher_toolformer_sim0.6.json": ("alpaca", 2396),
    "gsm8k_test.jsonl": ("question-answer", 1319),
    "gsm8k_train.jsonl": ("question-answer", 7473),
    "identity.json": ("alpaca", 91),
    "kto_en_demo.json": ("kto", 300),
    "mt_bench_question.jsonl": ("turns", 80),
    "reason_tool_use_demo_50.jsonl": ("messages", 50),
    "self_instruct_seed_tasks.jsonl": ("instances", 175),
    "sharegpt_zh_1K.jsonl": ("sharegpt", 1000),
    "v1_sft_demo.jsonl": ("messages", 500),
    "wiki_demo.txt": ("text", 1),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_files_are_recognized_and_every_row_becomes_a_sample(public_data: Path, name: str) -> None:
    dataset = Dataset.open(public_data / name)
    dataset.reader.extend()
    assert (dataset.recognition.name, dataset.count) == PUBLIC[name]
    samples = [dataset.sample(entry) for entry in range(dataset.count)]
    assert {each.kind for each in samples} == {dataset.recognition.kind}
    assert all(each.question or each.answer or each.messages for each in samples)


def test_previews_are_one_clean_short_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    hostile = "\x1b]52;c;aGk=\x07 [@click=app.quit]\n\u202ex" + "y" * 1_000
    rows = [json.dumps({"text": hostile}), "broken", json.dumps({"text": "z" * 5_000_000}), '{"other": 1}']
    path.write_text("\n".join(rows))
    dataset = Dataset.open(path, format="text", columns={"text": "text"})
    dataset.reader.extend()
    previews = [dataset.preview(entry) for entry in range(4)]
    for preview in previews:
        assert preview.isprintable()
        assert 0 < len(preview) <= 201
    assert "not valid JSON" in previews[1]
    assert "MiB" in previews[2]
    assert "No `text` in this row; it has `other`" in previews[3]


def test_a_file_without_any_row_says_what_its_first_fault_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("hello\nworld\n")
    with pytest.raises(BadInput, match=r"a\.jsonl, line 1: none of the first 2 entries could be read"):
        Dataset.open(path)


@pytest.mark.parametrize("value", [10**400, -(10**400), "9" * 5_000, "1e400", float("nan")])
def test_a_number_of_hundreds_of_digits_stops_no_scan(tmp_path: Path, value: Any) -> None:
    """Where a flag, a label, a weight or a choice is looked for: in a column, in a turn, as an answer."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": value}]
    rows: list[dict[str, Any]] = [
        {"messages": turns, "train": value, "n": value, "loss_scale": value},
        {"question": "q", "choices": ["a", "b"], "answer": value},
        {"prompt": "p", "completion": "c", "label": value},
    ]
    for row in rows:
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(row) + "\n")
        assert scan([path]).rows == 1
