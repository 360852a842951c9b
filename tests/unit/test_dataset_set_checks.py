"""Checks that compare answers, and what is said once of a whole set instead of on each row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.checks import CHECKS, Check, Context, Flag, SetProperty
from core.dataset.checks.first_rows import FirstRows
from core.dataset.item import Item
from core.dataset.near.result import NearOptions
from core.dataset.sample import Message, Sample
from core.dataset.scan.scan import scan
from core.recipe.recipe import Recipe, put
from core.runs.curate import curate
from tui.commands.scan_lines import scan_lines

BY_NAME = {each.name: each for each in CHECKS}


def ask(question: str, answer: str, system: str = "") -> Sample:
    begin = (Message("system", system),) if system else ()
    return Sample("messages", (*begin, Message("user", question), Message("assistant", answer)))


def rated(question: str, answer: str, good: bool) -> Sample:
    return Sample("kto", (Message("user", question),), chosen=(Message("assistant", answer),), label=good)


def pair(question: str, chosen: str, rejected: str) -> Sample:
    answers = (Message("assistant", chosen),), (Message("assistant", rejected),)
    return Sample("preference", (Message("user", question),), chosen=answers[0], rejected=answers[1])


def checked(name: str, *samples: Sample, context: Context | None = None) -> tuple[list[Flag | None], list[SetProperty]]:
    check: Check = BY_NAME[name](context or Context())
    found = [check.inspect(Item(row, sample)) for row, sample in enumerate(samples)]
    for row, flag in check.finish():
        found[row] = flag
    return found, list(check.properties())


def flagged(name: str, *samples: Sample) -> list[int]:
    return [row for row, flag in enumerate(checked(name, *samples)[0]) if flag]


# Conflicting answers


def test_every_row_of_a_prompt_with_two_answers_is_flagged_and_names_another() -> None:
    rows = [ask("Is it open?", "Yes"), ask("other", "x"), ask("is it  open", "No"), ask("Is it open?", "yes.")]
    found, _ = checked("conflicting_answers", *rows)
    assert [flag.reason[:21] if flag else "" for flag in found] == [
        "same prompt as row 3,", "", "same prompt as row 1,", "same prompt as row 3,"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        (ask("q", "Yes"), ask("q", "yes.")),
        (ask("q", "a", "Be brief."), ask("q", "b", "Be kind.")),
        (ask("What is 2+2?", "4"), ask("What is 2-2?", "0")),
        (ask("What is 2.5 squared", "6.25"), ask("What is 25 squared", "625")),
        (ask("What is 5!", "120"), ask("What is 5", "a number")),
        (ask(" ", "a"), ask(" ", "b")),
        (rated("q", "a", True), rated("q", "b", False)),
        (pair("q", "a", "b"), pair("q", "b", "c"), pair("q", "a", "c")),
        (Sample("text", text="a b"), Sample("text", text="a c")),
    ],
)
def test_answers_that_agree_or_belong_to_other_prompts_do_not_conflict(rows: tuple[Sample, ...]) -> None:
    assert flagged("conflicting_answers", *rows) == []


def test_images_make_prompts_that_no_text_tells_apart() -> None:
    rows = [
        Sample("messages", (Message("user", "What is this? [image]", media=("image",)), Message("assistant", answer)))
        for answer in ("a cat", "a dog")
    ]
    assert flagged("conflicting_answers", *rows) == []


def test_ratings_and_preferences_conflict_where_they_are_turned_round() -> None:
    assert flagged("conflicting_answers", rated("q", "a", True), rated("q", "a", False)) == [0, 1]
    assert flagged("conflicting_answers", pair("q", "a", "b"), pair("q", "b", "a")) == [0, 1]


def test_turns_before_the_question_are_part_of_the_prompt() -> None:
    def talk(first: str, last: str) -> Sample:
        turns = [("user", "hi"), ("assistant", first), ("user", "go on"), ("assistant", last)]
        return Sample("messages", tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]

    assert flagged("conflicting_answers", talk("x", "1"), talk("y", "2")) == []
    assert flagged("conflicting_answers", talk("x", "1"), talk("x", "2")) == [0, 1]


def test_near_prompts_with_other_answers_are_flagged_by_the_search(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    text = "the parcel with the blue ribbon that was sent to the office in Ulm on a rainy day in late autumn"
    rows = [
        (f"Classify: {text} has not arrived", "complaint"),
        (f"Classify: {text} has not arrived yet", "praise"),
        (f"Classify: {text} cost 12 euros", "question"),
        (f"Classify: {text} cost 13 euros", "complaint"),
    ]
    path.write_text("\n".join(json.dumps({"prompt": asked, "completion": said}) for asked, said in rows))
    assert scan(path).flags["conflicting_answers"] == 0
    # The answers alone make whole texts unlike: prompts are compared by themselves.
    asked = "How do I reset the password of my account"
    more = [(asked, "Press the key"), (f"{asked} now", "Call us")]
    with path.open("a") as file:
        file.write("".join("\n" + json.dumps({"prompt": asked, "completion": said}) for asked, said in more))
    found = scan(path, near=NearOptions(0.8))
    assert {row for row, flags in found.row_flags.items() for flag in flags if flag.name == "conflicting_answers"} == {
        0, 1, 4, 5,
    }  # fmt: skip


def test_where_most_prompts_have_several_answers_that_is_said_once() -> None:
    rows = [ask(f"question {n // 3}", f"answer {n}") for n in range(30)]
    found, (said,) = checked("conflicting_answers", *rows)
    assert not any(found)
    assert "30 of 30" in said.reason
    assert said.rows == 30


# Same answers


def test_chosen_that_equals_rejected_is_flagged(tmp_path: Path) -> None:
    rows = [("q0", "same answer", "same answer"), ("q1", "Same  answer", "same answer"), ("q", "good", "bad")]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": p, "chosen": c, "rejected": r}) for p, c, r in rows))
    found = scan(path)
    assert found.flags["same_answers"] == 2
    reasons = {
        row: flag.reason for row, flags in found.row_flags.items() for flag in flags if flag.name == "same_answers"
    }
    assert "word for word" in reasons[0]
    assert "case" in reasons[1]


def test_a_call_is_not_the_text_that_reads_like_it() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    chosen = (Message("assistant", "", tool_calls=(call,)),)
    rejected = (Message("assistant", json.dumps(call)),)
    assert (
        flagged("same_answers", Sample("preference", (Message("user", "q"),), chosen=chosen, rejected=rejected)) == []
    )


# Rendered chat


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("### Instruction:\nSay hi\n\n### Response:\nhi", "Alpaca"),
        ("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello<|im_end|>", "ChatML"),
        ("<s>[INST] hi [/INST] hello </s>", "Mistral"),
        ("<<SYS>>be kind<</SYS>> hi", "Llama 2"),
        ("<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", "Llama 3"),
        ("<start_of_turn>user\nhi<end_of_turn>", "Gemma"),
        ("<|user|>\nhi<|end|>\n<|assistant|>\nhello", "Phi"),
        ("<｜User｜>hi<｜Assistant｜>hello", "DeepSeek"),
        ("<|start|>assistant<|channel|>final<|message|>hi", "Harmony"),
        ("\n\nHuman: hi\n\nAssistant: hello\n\nHuman: bye\n\nAssistant: bye", "Human and Assistant"),
        ("USER: hi ASSISTANT: hello", "Human and Assistant"),
        ("### Human: hi\n### Assistant: hello", "Alpaca"),
        ("用户：你好\n助手：你好！", "Human and Assistant"),
        ("### Human: hi### Assistant: hello", "Guanaco"),
        ("[|Human|] hi\n[|AI|] hello", "Baize"),
        ("<extra_id_1>User\nhi\n<extra_id_1>Assistant\nhello", "Nemotron"),
        ("hello</s>", "end token"),
    ],
)
def test_a_text_that_is_rendered_already_is_named_by_its_markup(text: str, name: str) -> None:
    for sample in (Sample("text", text=text), ask("q", text)):
        (flag,), _ = checked("rendered_chat", sample)
        assert flag is not None
        assert name in flag.reason


@pytest.mark.parametrize(
    "text",
    [
        "## Instruction manual\nPress the button.\n## Response times\nTwo days.",
        "The user: a person. The assistant helps.",
        "if a <| b then [INSTALL] else <user>",
        "Human rights: an overview.\nAn assistant professor: her view.",
        "print('<|hello|>')",
    ],
)
def test_text_with_like_words_is_not_rendered(text: str) -> None:
    assert flagged("rendered_chat", ask("q", text)) == []


def test_an_end_token_behind_every_answer_is_said_once() -> None:
    found, (said,) = checked("rendered_chat", *[ask(f"q{n}", f"answer {n}<|endoftext|>") for n in range(25)])
    assert not any(found)
    assert "25 of 25" in said.reason
    assert "<|endoftext|>" in said.reason


# Cut off

GOOD = "The first cause is heat. The second of them is dust, which is found in every room of the house."


@pytest.mark.parametrize(
    "end",
    [
        "There are three causes of this. The first of them is heat, the second is dust, and the third is the",
        "There are three causes of this. The first one that we find in nearly every house is heat, which",
        "It depends on many things. In most of the houses that we have looked at until now the heating is",
        "Es gibt drei Gründe. Der erste davon ist die Hitze, der zweite ist der Staub und",
    ],
)
def test_an_answer_that_ends_in_mid_sentence_is_flagged(end: str) -> None:
    found, _ = checked("cut_off", *[ask(f"q{n}", GOOD) for n in range(30)], ask("q", end))
    assert found[30] is not None
    assert end.split()[-1] in found[30].reason
    assert "30 of 31" in found[30].reason
    assert not any(found[:30])


@pytest.mark.parametrize(
    "end",
    [
        "positive",
        "There are three causes. Here is a list of them all in one place for you:\n- the heat\n- the dust and the",
        "There are three causes. Run this to see them all in one place:\n```python\nprint(the",
        "You can see it in the code. It is in the function that is called for each row: value = table[key",
        '{"causes": ["heat. dust", "water of the sea that comes in"], "most": "the one that is',
        "มีสาเหตุสามประการ ประการแรกคือความร้อน ประการที่สองคือฝุ่น และประการที่สามคือน้ำ ซึ่งพบได้ทุกห้อง",
        "有三个原因。第一个是热，第二个是灰尘，第三个是水，它们在每个房间里都可以找到，所以",
        "तीन कारण हैं। पहला गर्मी है, दूसरा धूल है और तीसरा पानी है जो हर कमरे में मिलता है",
        "Dear Ann, thank you for the letter that you have sent me. I will answer soon.\n\nBest regards,\nTom",
        "I will come on Monday. Thank you for the letter that you have sent to me last week.\n\nKind regards,",
        "See the page on heat. It says more about all of this than I could: https://example.org/about/heat",
    ],
)
def test_labels_lists_code_and_other_scripts_are_not_judged(end: str) -> None:
    assert flagged("cut_off", *[ask(f"q{n}", GOOD) for n in range(30)], ask("q", end)) == []


def test_answers_without_full_stops_are_no_fault_where_many_have_none() -> None:
    cut = "There are three causes of this. The first is heat, the second is dust, and the third is the"
    assert flagged("cut_off", *[ask(f"q{n}", GOOD) for n in range(30)], *[ask(f"c{n}", cut) for n in range(10)]) == []
    assert flagged("cut_off", *[ask(f"q{n}", GOOD) for n in range(5)], ask("q", cut)) == []


# Line ends


def test_carriage_returns_are_counted_and_said_once_where_most_rows_have_them() -> None:
    found, _ = checked("crlf", ask("a\r\nb\r\n", "c"), ask("a\nb", "c"), ask("a\rb", "c"))
    assert found[0] is not None
    assert "2 CR LF line endings" in found[0].reason
    assert found[1] is None
    assert found[2] is not None
    found, (said,) = checked("crlf", *[ask(f"a\r\n{n}", "b") for n in range(20)])
    assert not any(found)
    assert "20 of 20" in said.reason


# Roles, templates, system prompts


def test_normalized_duplicates_respect_roles_labels_and_turns() -> None:
    swapped = Sample("messages", (Message("user", "B"), Message("assistant", "a")))
    as_system = Sample("messages", (Message("system", "a"), Message("assistant", "b")))
    moved = Sample("messages", (Message("user", "a x"), Message("assistant", "b")))
    original = Sample("messages", (Message("user", "a"), Message("assistant", "x b")))
    masked = Sample("messages", (Message("user", "a"), Message("assistant", "x B", trained=False)))
    assert flagged("normalized_duplicate", ask("a", "b"), swapped, as_system, moved, original, masked) == []
    assert flagged("normalized_duplicate", rated("q", "a", True), rated("Q", "a", False)) == []
    assert flagged("normalized_duplicate", pair("q", "a", "b"), pair("Q", "b", "a")) == []
    assert flagged("normalized_duplicate", ask("a", "b"), ask("A ", "B")) == [1]


def test_a_template_that_most_rows_repeat_is_said_once_unless_rows_are_dropped_by_it() -> None:
    rows = [ask(f"What is the sum of {n} and {2 * n}?", f"The sum is {3 * n}.") for n in range(40)]
    found, (said,) = checked("same_template", *rows)
    assert not any(found)
    assert "40 of 40" in said.reason
    found, none = checked("same_template", *rows, context=Context(each_row={"same_template"}))
    assert sum(map(bool, found)) == 39
    assert not none
    few = [*rows[:3], *[ask(f"{chr(97 + n // 26)}{chr(97 + n % 26)} is a name", "yes") for n in range(60)]]
    assert flagged("same_template", *few) == [1, 2]


def test_several_system_prompts_are_said_once_and_a_few_others_are_flagged() -> None:
    usual, other = ask("q", "a", "Be brief."), ask("q", "a", "Be kind.")
    assert flagged("system_prompt", *[usual] * 40, other) == [40]
    found, (said,) = checked("system_prompt", *[usual] * 34, *[other] * 6)
    assert not any(found)
    assert "34 rows" in said.reason
    assert "2 system prompts" in said.reason


def test_what_is_said_of_the_set_stands_in_text_json_and_overview(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"prompt": f"Count the apples: {n} and {n + 1}", "completion": f"{2 * n + 1}"})
            for n in range(30)
        )
    )
    found = scan(path)
    assert found.flags["same_template"] == 0
    (said,) = found.to_json()["properties"]
    assert (said["name"], said["rows"]) == ("same_template", 29)
    assert any("30 of 30 rows" in line for line in scan_lines(found))
    recipe = put(Recipe(), "data.train", [str(path)])
    view = curate(recipe, tmp_path)
    assert any("30 of 30 rows" in note for note in view.manifest["notes"])
    recipe = put(put(recipe, "data.drop_flags", ["same_template"]), "data.eval_fraction", 0.0)
    dropped = curate(recipe, tmp_path)
    assert dropped.dropped["same_template"] == 29


# Placeholders


@pytest.mark.parametrize(
    "text",
    [
        "Use this:\n```jinja\nHello {{ name }}!\n```\nThat is all.",
        "Write `{{name}}` where the name belongs.",
        "def greet(name):\n    return f'{{name}} is {name}'",
        '<div class="box">{{ title }}</div>',
        "{% for user in users %}{{ user }}{% endfor %}",
        "List<T> map<K, V> of <insert>(x);",
        'curl -H "Key: <your key>" example.org',
        '{"greeting": "Hi {{name}}"}',
        "In Jinja you write {{ name }} for a variable.",
        "```\n# TODO: sort\n```",
    ],
)
def test_placeholders_in_code_are_none(text: str) -> None:
    assert flagged("placeholder", ask("q", text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Dear {{customer_name}}, thank you.",
        "```\nx = 1\n```\nYours, [Your Name]",
        "Use `x`.\nDear [Your Name]",
        "* [insert date]",
        "Return to [insert address]",
    ],
)
def test_placeholders_beside_code_are_still_found(text: str) -> None:
    assert flagged("placeholder", ask("q", text)) == [0]


# The hash table


def test_the_first_row_of_each_key_is_kept_through_growth() -> None:
    table, plain = FirstRows(), {}
    for row in range(5_000):
        key = hash(f"{row % 1_700}")
        assert table.put(key, row, row) == plain.setdefault(key, (row, row))
