"""Rows in the shapes of public datasets and other tools: what they say is what the sample says."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.dataset.checks import Context
from core.dataset.checks.turns import LossWeight
from core.dataset.formats import choose, recognize, to_sample
from core.dataset.formats.decode import python_literal
from core.dataset.formats.unused import unused_names
from core.dataset.item import Item, content_digest
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample
from core.dataset.scan.scan import scan
from core.dataset.write.forms import as_cells, as_row
from core.dataset.write.hosted import NotHosted, as_hosted
from core.errors import BadInput

Q, A, B = Message("user", "q"), Message("assistant", "a"), Message("assistant", "b")


def sample(row: dict[str, Any]) -> Sample:
    return to_sample(row, recognize([row]))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def answer(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def talk(**flags: Any) -> dict[str, Any]:
    bad = {"role": "assistant", "content": "half good", **flags}
    return {"messages": [{"role": "user", "content": "q"}, bad, {"role": "user", "content": "q"},
                         {"role": "assistant", "content": "a"}]}  # fmt: skip


MUTED = [
    {"weight": 0}, {"weight": 0.0}, {"weight": "0"}, {"loss_weight": 0}, {"train": False}, {"train": "false"},
    {"loss_mask": 0}, {"loss_mask": "0"}, {"training": False}, {"loss": False}, {"loss": 0}, {"trainable": False},
    {"trainable": "no"}, {"masked": True}, {"mask": True}, {"mask": 1}, {"train": True, "weight": 0},
]  # fmt: skip


@pytest.mark.parametrize("flags", MUTED, ids=repr)
def test_a_flag_of_another_tool_takes_a_turn_out_of_the_loss(flags: dict[str, Any]) -> None:
    found = sample(talk(**flags))
    assert [turn.trained for turn in found.messages] == [True, False, True, True]
    assert content_digest(found) != content_digest(sample(talk())), "rows that differ in it are no duplicates"
    assert sample(as_row(found)) == found == sample(json.loads(json.dumps(as_cells(found))))
    written = as_row(found)["messages"][1]
    assert (written["weight"], written["train"]) == (0, False)
    assert [turn.get("weight") for turn in as_hosted(found)["messages"]] == [None, 0, None, None]


@pytest.mark.parametrize(
    "flags", [{"weight": 1}, {"train": True}, {"loss": None}, {"masked": False}, {"mask": False}, {"loss_mask": "1"}]
)
def test_a_flag_that_says_yes_changes_nothing(flags: dict[str, Any]) -> None:
    assert sample(talk(**flags)) == sample(talk())


def test_a_mask_that_the_users_turns_carry_too_shows_which_way_it_means() -> None:
    def masks(*values: Any) -> list[bool]:
        turns = [{"role": role, "content": role, "mask": value}
                 for role, value in zip(("user", "assistant", "user", "assistant"), values, strict=True)]  # fmt: skip
        return [turn.trained for turn in sample({"messages": turns}).messages if turn.role == "assistant"]

    assert masks(0, 0, 0, 1) == [False, True]
    assert masks(True, True, True, False) == [False, True]
    assert masks(False, False, False, False) == [True, True]


@pytest.mark.parametrize(
    ("column", "value", "trained"),
    [
        ("loss_mask", [0, 0, 0, 1], [False, True]),
        ("loss_mask", [0, 1], [False, True]),
        ("loss_mask", "[0, 1]", [False, True]),
        ("mask", [1, 1, 1, 0], [False, True]),
        ("loss_mask", 0, [False, False]),
        ("trainable", "false", [False, False]),
        ("mask", "User", [True, True]),
        ("weights", [0, 1], [False, True]),
        ("train", False, [False, False]),
        ("weight", 3.5, [True, True]),
    ],
)
def test_a_row_says_for_all_its_turns_which_carry_loss(column: str, value: Any, trained: list[bool]) -> None:
    found = sample({**talk(), column: value})
    assert [turn.trained for turn in found.messages if turn.role == "assistant"] == trained
    assert not sample({"prompt": "q", "completion": "a", "loss_mask": 0}).messages[-1].trained


def test_spans_without_loss_are_kept_and_written_as_axolotl_reads_them() -> None:
    spans = [{"begin_offset": 0, "end_offset": 3, "train": False}, {"begin_offset": 4, "end_offset": 8, "train": True}]
    found = sample(talk(train_detail=spans))
    assert found.messages[1].untrained == ((0, 4),)
    assert "half good"[slice(*found.messages[1].untrained[0])] == "half"
    assert as_row(found)["messages"][1]["train_detail"] == spans[:1]
    assert sample(as_row(found)) == found
    with pytest.raises(NotHosted, match="parts of an answer"):
        as_hosted(found)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"train": "maybe"}, "`train` should be .* 'maybe'"),
        ({"mask": [0, 1]}, "`mask` should be .* a list"),
        ({"train_detail": [{"begin_offset": 0, "end_offset": 40, "train": False}]}, ".* 0 to 40, but the text has 9"),
        ({"train_detail": [{"begin_offset": 0, "train": False}]}, "span 1 .* needs"),
    ],
)
def test_a_flag_that_cannot_be_understood_is_named(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(Unreadable, match=f"turn 2: {words}"):
        sample(talk(**flags))
    with pytest.raises(Unreadable, match="3 entries, but the conversation has 4 turns"):
        sample({**talk(), "loss_mask": [0, 1, 1]})


def test_a_weight_between_0_and_1_is_flagged_and_kept() -> None:
    found = sample(talk(weight=0.3))
    assert (found.messages[1].trained, found.messages[1].weight) == (True, 0.3)
    flag = LossWeight(Context()).inspect(Item(0, found))
    assert flag is not None
    assert "turn 2" in flag.reason
    assert "0.3" in flag.reason
    assert LossWeight(Context()).inspect(Item(0, sample(talk()))) is None
    assert sample(as_row(found)) == found
    with pytest.raises(NotHosted, match="weight"):
        as_hosted(found)


CALLS = [
    {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"town": "Ulm"}'}},
    {"id": "b", "type": "function", "function": {"name": "weather", "arguments": '{"town": "Bern"}'}},
]


def test_parallel_results_stay_with_their_calls_in_every_export() -> None:
    row = {"messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "tool", "tool_call_id": "b", "content": "Bern: 5"},
        {"role": "tool", "tool_call_id": "a", "content": "Ulm: 4"},
        {"role": "assistant", "content": "a"},
    ]}  # fmt: skip
    found = sample(row)
    for written in (as_row(found), as_hosted(found), as_cells(found)):
        assert [turn.get("tool_call_id") for turn in written["messages"]] == [None, None, "b", "a", None]
        assert sample(written) == found
    assert [call["id"] for call in as_hosted(found)["messages"][1]["tool_calls"]] == ["a", "b"]
    other = json.loads(json.dumps(row).replace('"a", "type"', '"x1", "type"').replace('_id": "a"', '_id": "x1"'))
    assert content_digest(sample(other)) == content_digest(found), "ids are arbitrary"
    swapped = json.loads(json.dumps(row).replace('_id": "a"', '_id": "z"').replace('_id": "b"', '_id": "a"'))
    assert content_digest(sample(swapped)) != content_digest(found)


def test_results_without_ids_go_to_the_calls_of_their_tool() -> None:
    calls = [{"name": name, "arguments": {}} for name in ("f", "g")]
    results = [{"role": "tool", "name": name, "content": name} for name in ("g", "f")]
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": calls}, *results,
             {"role": "assistant", "content": "a"}]  # fmt: skip
    hosted = as_hosted(sample({"messages": turns}))["messages"]
    by_name = {call["function"]["name"]: call["id"] for call in hosted[1]["tool_calls"]}
    assert [turn["tool_call_id"] for turn in hosted[2:4]] == [by_name["g"], by_name["f"]]


def test_anthropics_results_are_tool_turns() -> None:
    use = [{"type": "text", "text": "let me see"}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
           {"type": "tool_use", "id": "t2", "name": "f", "input": {"x": 2}}]  # fmt: skip
    results = [
        {"type": "tool_result", "tool_use_id": "t2", "content": ["one", "two"]},
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "three"}]},
        {"type": "text", "text": "and now?"},
    ]
    row = {
        "system": [{"type": "text", "text": "s"}],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": use},
                     {"role": "user", "content": results}, {"role": "assistant", "content": "a"}],
    }  # fmt: skip
    found = sample(row)
    system, _, call, *rest, answer = found.messages
    assert (system, answer) == (Message("system", "s"), A)
    assert [(each["id"], each["function"]["arguments"]) for each in call.tool_calls] == [
        ("t1", {"x": 1}),
        ("t2", {"x": 2}),
    ]
    assert rest == [
        Message("tool", "one\ntwo", tool_call_id="t2"), Message("tool", "three", tool_call_id="t1"),
        Message("user", "and now?"),
    ]  # fmt: skip
    assert found.tools[0]["function"]["parameters"] == {"type": "object"}


def test_a_tools_result_of_several_texts_or_of_data_is_text() -> None:
    for content, text in ((["x", "y"], "x\ny"), ({"t": 4}, '{"t": 4}'), ([{"a": 1}], '[{"a": 1}]'), (4, "4")):
        turns = [{"role": "user", "content": "q"}, {"role": "tool", "content": content}]
        assert sample({"messages": turns}).messages[1] == Message("tool", text)


GOOD, BAD = [{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "b"}]
ASKED = [{"role": "user", "content": "q"}]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "prompt_id": "1", "chosen": ASKED + GOOD, "rejected": ASKED + BAD, "messages": ASKED + GOOD,
         "score_chosen": 8.0, "score_rejected": 2.0},
        {"chosen": ASKED + GOOD, "rejected": ASKED + BAD, "messages": ASKED + GOOD},
        {"messages": ASKED + GOOD, "rejected_response": "b"},
        {"messages": ASKED + GOOD, "rejected_messages": ASKED + BAD},
        {"messages": ASKED + GOOD, "rejected": BAD},
        {"messages": ASKED, "chosen": "a", "rejected": "b"},
        {"query": "q", "response": "a", "rejected_response": "b"},
        {"messages": ASKED + GOOD, "rejected_response": "b", "answer": "gold"},
        {"prompt": "q", "chosen": ["a"], "rejected": ["b"]},
        {"input": {"messages": ASKED}, "preferred_output": GOOD, "non_preferred_output": BAD},
        {"prompt": "q", "chosen": json.dumps(GOOD), "rejected": json.dumps(BAD)},
        {"chosen": json.dumps({"messages": ASKED + GOOD}), "rejected": json.dumps({"messages": ASKED + BAD})},
        {"prompt": json.dumps(ASKED), "chosen": json.dumps(GOOD[0]), "rejected": json.dumps(BAD[0])},
        {"prompt": "q", "chosen": str(GOOD), "rejected": str(BAD)},
    ],
)  # fmt: skip
def test_pairs_in_every_schema_keep_prompt_and_both_answers(row: dict[str, Any]) -> None:
    assert sample(row) == Sample("preference", (Q,), chosen=(A,), rejected=(B,))


def test_our_own_preference_export_is_read_back_with_its_tools() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    pair = Sample("preference", (Q,), chosen=(A,), rejected=(B,), tools=(tool,))
    assert sample(as_hosted(pair)) == pair


def test_an_answer_that_is_json_but_no_turns_stays_text() -> None:
    found = sample({"prompt": "q", "chosen": '{"messages": 3}', "rejected": "[1, 2]"})
    assert [found.chosen[0].content, found.rejected[0].content] == ['{"messages": 3}', "[1, 2]"]
    assert sample({"prompt": '{"role": "boss"}', "completion": "['a']"}).messages[1].content == "['a']"


def test_winners_that_are_models_are_no_answers() -> None:
    with pytest.raises(Unreadable, match="`rejected` has 2 answers"):
        sample({"prompt": "q", "chosen": "a", "rejected": ["b", "c"]})
    for names in (("gpt-4", "vicuna-13b"), ("model_a", "model_b"), ("tie", "tie"), ("meta/Llama-3-8B", "Qwen2.5")):
        row = {"prompt": "q", "response": "a", "winner": names[0], "loser": names[1]}
        assert sample(row) == Sample("messages", (Q, A))
    own = [{"prompt": "q", "winner": ("mine-v1", "mine-v2")[n % 2], "loser": "base", "response": "a"} for n in range(6)]
    assert recognize(own).name == "prompt-completion"
    for one, other in (("Right", "Left"), ("Philosophy", "Yield"), ("Tie", "None")):
        assert sample({"prompt": "q", "chosen": one, "rejected": other}).kind == "preference", "these are answers"
    assert sample({"prompt": "q", "winner": "a", "loser": "b"}).kind == "preference"
    assert not recognize([{"prompt": "q", "response_a": "x", "response_b": "y", "winner": "a", "loser": "b"}]).known
    assert sample({"prompt": "q", "chosen": "a", "rejected": "b"}) == Sample(
        "preference", (Q,), chosen=(A,), rejected=(B,)
    )


@pytest.mark.parametrize(
    ("bad", "good"),
    [(-1, 1), ("-1", "1"), ("thumbs down", "Thumbs-Up"), ("no", "yes"),
     ("\N{THUMBS DOWN SIGN}\U0001f3fd", "\N{THUMBS UP SIGN}"),
     ("No", 1), ("n", "Y"), (0, "true"), ("Bad", True), ("incorrect", "correct"), ("downvote", "upvoted")],
)  # fmt: skip
def test_verdicts_are_read_in_every_spelling(bad: Any, good: Any) -> None:
    rows = [{"prompt": "q", "completion": "a", "label": label} for label in (bad, good)]
    found = recognize(rows)
    assert [to_sample(row, found).label for row in rows] == [False, True]


def test_classes_of_a_text_are_no_verdicts_on_an_answer() -> None:
    for labels in (("pos", "neg"), ("positive", "negative"), ("up", "down"), (-1, 0, 1)):
        rows = [{"prompt": "q", "completion": "a", "label": label} for label in labels]
        assert recognize(rows).name == "prompt-completion"


@pytest.mark.parametrize(
    ("more", "asked", "answer"),
    [
        ({"context": "C", "answers": {"text": ["a", "a2"], "answer_start": [1, 2]}}, "C\n\nq", "a"),
        (
            {"context": "C", "answers": "{'text': array(['a'], dtype=object), 'answer_start': array([5])}"},
            "C\n\nq",
            "a",
        ),
        ({"passage": "P", "answer": False}, "P\n\nq", "false"),
        ({"context": ["C", "D"], "answer": "a"}, "C\n\nD\n\nq", "a"),
        ({"context": {"title": ["T"], "sentences": [["One.", "Two."]]}, "answer": "a"}, "T\nOne. Two.\n\nq", "a"),
        ({"context": "['C', 'D']", "answer": "a"}, "['C', 'D']\n\nq", "a"),
        ({"choices": ["x", "y"], "answer": 1}, "q\n\nA. x\nB. y", "y"),
        ({"choices": ["x", "y"], "answer": "B"}, "q\n\nA. x\nB. y", "y"),
        ({"choices": ["x", "y"], "answer": "y"}, "q\n\nA. x\nB. y", "y"),
        ({"choices": ["x", "y"], "answer": 2}, "q\n\nA. x\nB. y", "y"),
        ({"choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "1"}, "q\n\n1. x\n2. y", "x"),
        ({"options": {"A": "x", "B": "y"}, "answer": "B"}, "q\n\nA. x\nB. y", "y"),
        ({"choices": "['x' 'y']", "answer": "0"}, "q\n\nA. x\nB. y", "x"),
    ],
)
def test_question_sets_are_read_with_context_choices_and_answer(more: dict[str, Any], asked: str, answer: str) -> None:
    assert sample({"id": "1", "question": "q", **more}).messages == (
        Message("user", asked),
        Message("assistant", answer),
    )


def test_a_question_without_an_answer_or_with_a_choice_that_is_not_there_is_unreadable() -> None:
    for more, words in (
        ({"answers": {"text": [], "answer_start": []}}, "no answer"),
        ({"choices": ["x", "y"], "answer": 5}, "none of the 2 choices"),
    ):
        with pytest.raises(Unreadable, match=words):
            sample({"question": "q", **more})
    cut = {"question": "q", "choices": "['x' ... 'y']", "answer": "x"}
    assert sample(cut).messages == (Q, Message("assistant", "x")), "no choices, which is named as not used"
    several = recognize([{"question": "q", "answers": {"text": ["a", "b"], "answer_start": [0, 1]}}])
    assert "first of several answers" in several.why


def test_gemini_turns_are_read_with_calls_and_media() -> None:
    row = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}}]}],
        "contents": [
            {"role": "user", "parts": [{"text": "q"}, {"inlineData": {"mimeType": "image/png", "data": ""}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"x": 1}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 2}}}]},
            {"role": "model", "parts": [{"text": "a"}]},
        ],
    }
    found = sample(row)
    assert recognize([row]).name == "gemini"
    single = {"contents": [{"parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "a"}]}]}
    assert sample(single).messages == (Q, A), "a turn without a role is the user's"
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    assert found.messages == (
        Message("system", "s"), Message("user", "q", media=("image",)), Message("assistant", "", tool_calls=(call,)),
        Message("tool", '{"r": 2}', name="f"), A,
    )  # fmt: skip
    assert [tool["function"]["name"] for tool in found.tools] == ["f"]


@pytest.mark.parametrize(
    "cell",
    [
        "[{'role': 'user', 'content': 'q'}, {'role': 'assistant', 'content': 'a'}]",
        "[{'role': 'user', 'content': 'q'}\n {'role': 'assistant', 'content': 'a'}]",
        "array([{'role': 'user', 'content': 'q'},\n       {'role': 'assistant', 'content': 'a'}], dtype=object)",
        "[{'role': 'user', 'content': 'q', 'n': nan} {'content': 'a', 'role': 'assistant', 'x': None}]",
    ],
)
def test_cells_as_python_and_numpy_print_them_are_conversations(cell: str) -> None:
    assert sample({"messages": cell}) == Sample("messages", (Q, A))


def test_text_that_only_begins_like_a_printed_list_is_no_list() -> None:
    for text in ("[" + "'\\'" * 20_000, "[" * 500 + "'x'", "['x', run()]", "['a'", "[INST] it's"):
        assert python_literal(text) is None
    assert python_literal("[['a' 'b']\n ['c' 'd']]") == [["a", "b"], ["c", "d"]]
    assert python_literal("{'a': (1, 2), 'b': nan, 'c': array([1, 2])}") == {"a": [1, 2], "b": None, "c": [1, 2]}


def test_quotes_and_braces_inside_printed_texts_stay() -> None:
    talk = [{"role": "user", "content": "it's {'a'} {'b'}"}, {"role": "assistant", "content": 'say "x"\n} {'}]
    assert [turn.content for turn in sample({"messages": str(talk)}).messages] == [turn["content"] for turn in talk]
    with pytest.raises(Unreadable, match="shortened by NumPy"):
        to_sample(
            {"messages": "[{'role': 'user', 'content': 'q'} ... {'role': 'user'}]"},
            recognize([{"messages": str(talk)}]),
        )


def test_media_beside_the_text_is_named_on_the_turn_that_it_belongs_to() -> None:
    rows: list[dict[str, Any]] = [
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "q"}]}
            ]
        },
        {"images": ["a.png"], "messages": [{"role": "user", "content": "q"}]},
        {"image": "b.jpg", "messages": [{"role": "user", "content": "q"}]},
        {"messages": [{"role": "user", "content": "q", "images": ["c.png"]}]},
    ]
    for row in rows:
        found = sample(row)
        assert found.messages == (Message("user", "q", media=("image",)),)
        assert sample(as_row(found)) == found
    assert sample({"images": [], "image": None, "messages": ASKED}).messages == (Q,)
    with pytest.raises(NotHosted, match="image"):
        as_hosted(sample({**rows[1], "messages": ASKED + GOOD}))


def test_rows_that_differ_only_in_a_loss_flag_are_no_exact_duplicates(tmp_path: Path) -> None:
    rows = [talk(**flags) for flags in ({}, *MUTED)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    counts = scan(path).flags
    assert (counts["exact_duplicate"], counts["normalized_duplicate"]) == (0, 0)
    path.write_text("".join(json.dumps(row) + "\n" for row in [rows[1], {"id": 7, **rows[1]}, rows[0]]))
    assert scan(path).flags["exact_duplicate"] == 1


def transcript(*answers: str) -> str:
    return "".join(f"\n\nHuman: q{n}\n\nAssistant: {answer}" for n, answer in enumerate(answers, 1))


@pytest.mark.parametrize(
    ("row", "asked", "answers"),
    [
        ({"input": "q", "chosen": "good", "rejected": "bad", "system": "s"}, ["s", "q"], ["good", "bad"]),
        ({"context": "q", "chosen": "good", "rejected": "bad"}, ["q"], ["good", "bad"]),
        ({"conversation": [{"input": "q", "output": "good"}], "chosen": [user("q"), answer("good")],
          "rejected": [user("q"), answer("bad")]}, ["q"], ["good", "bad"]),
        ({"prompt": "q", "chosen": [user("q"), answer("a"), user("r"), answer("good")],
          "rejected": [user("q"), answer("a"), user("r"), answer("bad")]}, ["q", "a", "r"], ["good", "bad"]),
        ({"chosen": transcript("a", "good"), "rejected": transcript("a", "")}, ["q1", "a", "q2"], ["good", ""]),
    ],
)  # fmt: skip
def test_a_pair_keeps_its_prompt_and_both_answers_whatever_else_is_in_the_row(
    row: dict[str, Any], asked: list[str], answers: list[str]
) -> None:
    made = sample(row)
    assert [turn.content for turn in made.messages] == asked
    assert [turn.content for turn in (*made.chosen, *made.rejected)] == answers


def test_pairs_with_different_prompts_are_named_as_such() -> None:
    with pytest.raises(Unreadable, match="different prompts"):
        sample({"chosen": [user("q"), answer("a")], "rejected": [user("r"), answer("b")]})


def test_a_number_beside_choices_is_no_verdict_and_a_name_beside_answers_no_answer() -> None:
    rows = [{"question": "q", "choices": ["x", "y"], "answer": "x", "label": n % 2} for n in range(6)]
    assert recognize(rows).name == "question-answer"
    rows = [{"prompt": "q", "output": f"a {n}", "winner": "Alpha", "loser": "Beta"} for n in range(6)]
    assert recognize(rows).kind == "messages"


def test_a_printed_list_of_texts_is_read_where_the_column_is_named_for_several() -> None:
    made = sample({"question": "q", "contexts": "['one', 'two']", "answers": "['x', 'y']"})
    assert [turn.content for turn in made.messages] == ["one\n\ntwo\n\nq", "x"]
    made = sample({"instruction": "Sort", "input": "['b', 'a']", "output": "['a', 'b']"})
    assert [turn.content for turn in made.messages] == ["Sort\n['b', 'a']", "['a', 'b']"]


def test_an_answer_that_is_an_object_is_named_by_its_column() -> None:
    found = recognize([{"prompt": "q", "completion": "a"}])
    with pytest.raises(Unreadable, match="`completion` should be text, but it is an object"):
        to_sample({"prompt": "q", "completion": {"x": 1}}, found)
    made = to_sample({"prompt": "q", "completion": answer("a")}, found)
    assert made.answer == "a"


def test_an_empty_instruction_leaves_no_line_before_the_input() -> None:
    assert sample({"instruction": "", "input": "q", "output": "a"}).messages[0].content == "q"


@pytest.mark.parametrize("names", [("instruction", "output"), ("question", "answer"), ("prompt", "completion")])
def test_a_column_that_the_user_names_is_the_thinking_before_the_answer(names: tuple[str, str]) -> None:
    row = {**dict(zip(names, "qa", strict=True)), "reasoning": "Hm."}
    assert sample(row).messages[1].reasoning == ""
    made = to_sample(row, choose([row], None, {"reasoning": "reasoning"}))
    assert (made.messages[1].reasoning, made.messages[1].content) == ("Hm.", "a")
    with pytest.raises(BadInput, match="no format has a field 'thinking'"):
        choose([row], None, {"thinking": "reasoning"})


def test_parts_as_json_text_are_parts_and_other_json_stays_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    turn = sample({"messages": [user(json.dumps(parts)), answer("b")]}).messages[0]
    assert (turn.content, turn.media) == ("a", ("image",))
    for text in ('[{"type": "circle", "text": "a"}]', '[{"name": "x"}]', "[{not json"):
        assert sample({"messages": [user("q"), answer(text)]}).messages[1].content == text


def test_a_speaker_that_is_a_number_is_named() -> None:
    with pytest.raises(Unreadable, match="`role` should be the name of the speaker, but it is a number"):
        sample({"messages": [{"role": 0, "content": "q"}, {"role": 1, "content": "a"}]})


def test_choices_that_begin_with_their_letters_get_no_second_one() -> None:
    made = sample({"question": "q", "options": ["A. red", "B. blue"], "answer": "B"})
    assert [turn.content for turn in made.messages] == ["q\n\nA. red\nB. blue", "B. blue"]


def test_bedrock_calls_are_read_with_their_results() -> None:
    made = sample({"messages": [
        {"role": "user", "content": [{"text": "q"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "21"}]}}]},
        {"role": "assistant", "content": [{"text": "a"}]},
    ]})  # fmt: skip
    asked, called, result, _ = made.messages
    assert (asked.content, called.tool_calls[0]["id"], called.tool_calls[0]["function"]["arguments"]) == (
        "q", "t1", {"a": 1},
    )  # fmt: skip
    assert (result.role, result.content, result.tool_call_id) == ("tool", "21", "t1")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": ["search"]}, "a tool should be an object.*search"),
        ({"messages": [user("q"), {"role": "assistant", "tool_calls": [{"name": "f", "arguments": "x = 1"}]}]},
         "arguments of the tool call 'f' are not JSON"),
        ({"messages": [user("q"), {"role": "assistant", "tool_calls": ["f"]}]}, "a tool call .* is text: 'f'"),
        ({"messages": [user("q"), {"role": "assistant", "content": [{"executableCode": {"code": "1"}}]}]},
         "no text; it has `executableCode`"),
    ],
)  # fmt: skip
def test_a_tool_that_cannot_be_read_is_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        sample({"messages": [user("q"), answer("a")], **more})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "closed": True},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "thinking", "thinking": "Hm", "signature": "x"},
    ],
)
def test_thinking_in_parts_is_reasoning(part: dict[str, Any]) -> None:
    made = sample({"messages": [user("q"), {"role": "assistant", "content": [part, {"type": "text", "text": "a"}]}]})
    assert (made.messages[1].reasoning, made.messages[1].content) == ("Hm", "a")


@pytest.mark.parametrize(
    ("text", "media"),
    [("<image>\nWhat?", ("image",)), ("What?\n<image>", ("image",)), ("Explain <image> in SVG", ()), ("What?", ())],
)
def test_a_placeholder_without_its_image_marks_the_turn(text: str, media: tuple[str, ...]) -> None:
    assert sample({"messages": [user(text), answer("a")]}).messages[0].media == media


NAMES = (
    "messages", "conversations", "contents", "prompt", "completion", "chosen", "rejected", "label", "question",
    "answer", "answers", "choices", "context", "history", "system", "tools", "input", "instruction", "output",
    "instances", "turns", "text", "images", "mask", "loss_mask", "weight", "preferred_output",
    "non_preferred_output", "rejected_response",
)  # fmt: skip
KEYS = (
    "role", "from", "content", "value", "parts", "type", "text", "tool_calls", "function_call", "name", "id", "weight",
    "tool_call_id", "train", "mask", "loss", "train_detail", "reasoning_content", "tool_use_id", "input", "arguments",
    "functionCall", "functionResponse", "inlineData", "title", "sentences", "messages",
)  # fmt: skip
CELLS: list[Any] = [
    "q", "user", "assistant", "tool", "model", "", None, True, False, 0, 1, -1, 0.5, "0", "good", "text", "tool_result",
    "tool_use", "image", "[]", "{}", "['a' 'b']", "[{'role': 'user', 'content': 'q'}\n {'role': 'assistant'}]", "A",
    10**30, '{"role": "assistant", "content": "x"}', "['x' ... 'y']", "array(['x'], dtype=object)",
]  # fmt: skip


def test_rows_of_odd_shapes_are_samples_that_survive_an_export_or_say_why_they_are_none() -> None:
    chance = Random(3)

    def value(depth: int) -> Any:
        kind = chance.random()
        if depth <= 0 or kind < 0.45:
            return chance.choice(CELLS)
        if kind < 0.7:
            return [value(depth - 1) for _ in range(chance.randint(0, 3))]
        return {chance.choice(KEYS): value(depth - 1) for _ in range(chance.randint(0, 4))}

    def turn() -> dict[str, Any]:
        said = {
            "role": chance.choice(("user", "assistant", "tool", "system")),
            "content": chance.choice(("x", value(3))),
        }
        return {**said, **{chance.choice(KEYS): value(3) for _ in range(chance.randint(0, 2))}}

    read = 0
    for _ in range(2_500):
        row = {
            chance.choice(NAMES): value(4) if chance.random() < 0.5 else [turn() for _ in range(chance.randint(1, 3))]
            for _ in range(chance.randint(1, 4))
        }
        found = recognize([row])
        try:
            made = to_sample(row, found)
        except Unreadable:
            continue
        read += 1
        Item(0, made, value=row)
        unused_names([(row, found, made)])
        assert made.kind == "text" or sample(as_row(made)) == made
        as_cells(made)
        with suppress(NotHosted):
            as_hosted(made)
    assert read > 50
