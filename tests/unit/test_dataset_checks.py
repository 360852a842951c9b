"""Each check finds its fault, names it, and leaves good samples alone."""

from __future__ import annotations

import pytest

from core.dataset.checks import CHECKS, Check, Context, Flag
from core.dataset.eval_place import EvalPlace
from core.dataset.formats import recognize, to_sample
from core.dataset.item import Item, prompt_digest
from core.dataset.sample import Message, Sample

BY_NAME = {each.name: each for each in CHECKS}


def chat(*turns: tuple[str, str]) -> Sample:
    return Sample("messages", tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]


def ask(question: str, answer: str) -> Sample:
    return chat(("user", question), ("assistant", answer))


def flags(name: str, *samples: Sample | None, context: Context | None = None) -> list[Flag | None]:
    check: Check = BY_NAME[name](context or Context())
    found = [check.inspect(Item(row, sample, error="why")) for row, sample in enumerate(samples)]
    for row, flag in check.finish():
        found[row] = flag
    return found


def reason(name: str, sample: Sample | None) -> str:
    flag = flags(name, sample)[0]
    return "" if flag is None else flag.reason


def test_a_good_conversation_has_no_flag() -> None:
    good = Sample(
        "messages",
        (
            Message("system", "Be brief."),
            Message("user", "What is the weather in [city]? I have {this} on my TODOs."),
            Message("assistant", "", tool_calls=({"type": "function", "function": {"name": "f", "arguments": {}}},)),
            Message("tool", "sunny", name="f"),
            Message("assistant", "Sunny.\n\tEnjoy!"),
            Message("user", "Thanks"),
            Message("assistant", "You are welcome"),
        ),
    )
    for each in CHECKS:
        assert flags(each.name, good) == [None], each.name


def test_duplicates_name_the_first_row() -> None:
    one, same, other = ask("q", "a"), ask("q", "a"), ask("q", "b")
    found = flags("exact_duplicate", one, other, same, same)
    assert [flag.of if flag else None for flag in found] == [None, None, 0, 0]
    assert found[2] is not None
    assert "row 1" in found[2].reason


def test_roles_labels_and_tools_keep_samples_apart() -> None:
    swapped = chat(("assistant", "q"), ("user", "a"))
    good = Sample("kto", (Message("user", "q"),), chosen=(Message("assistant", "a"),), label=True)
    bad = Sample("kto", (Message("user", "q"),), chosen=(Message("assistant", "a"),), label=False)
    assert flags("exact_duplicate", ask("q", "a"), swapped, good, bad) == [None] * 4


def test_normalized_duplicates_are_not_the_exact_ones() -> None:
    found = flags(
        "normalized_duplicate",
        ask("Hello  world", "ｆｉｎｅ"),
        ask("hello world", "FINE"),
        ask("Hello  world", "ｆｉｎｅ"),
    )
    assert found[0] is None
    assert found[1] is not None
    assert found[1].of == 0
    assert found[2] is None


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (ask("q", "  \n"), "turn 2"),
        (chat(("user", "q"), ("assistant", ""), ("user", "q"), ("assistant", "a")), "turn 2"),
        (Sample("text", text=" "), "text is empty"),
        (Sample("preference", (Message("user", "q"),), chosen=(Message("assistant", "a"),),
                rejected=(Message("assistant", ""),)), "turn 3"),
        (Sample("messages", (Message("user", "q"), Message("assistant", "", reasoning="hm"))), "reasoning"),
    ],
)  # fmt: skip
def test_empty_answers_are_found(sample: Sample, words: str) -> None:
    assert words in reason("empty_answer", sample)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (chat(("system", "s"), ("assistant", "a")), "no user turn"),
        (
            chat(
                ("user", "q"),
            ),
            "no assistant turn",
        ),
        (chat(("user", "q"), ("assistant", "a"), ("user", "q")), "the last turn is a user turn"),
        (ask(" ", "a"), "turn 1 (user) is empty"),
    ],
)
def test_missing_turns_are_found(sample: Sample, words: str) -> None:
    assert words in reason("missing_turn", sample)


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (chat(("assistant", "a"), ("user", "q"), ("assistant", "a")), "before any user turn"),
        (chat(("user", "q"), ("user", "q"), ("assistant", "a")), "turns 1 and 2 are both user turns"),
        (chat(("user", "q"), ("assistant", "a"), ("assistant", "a")), "turns 2 and 3"),
        (chat(("user", "q"), ("system", "s"), ("assistant", "a")), "turn 2 is a system prompt"),
        (chat(("user", "q"), ("tool", "1"), ("assistant", "a")), "turn 2 is a tool result"),
    ],
)
def test_roles_out_of_order_are_found(sample: Sample, words: str) -> None:
    assert words in reason("role_order", sample)


@pytest.mark.parametrize(
    "text", ["I am {{name}}", "TODO write", "see <insert link here>", "Dear [Your Name],", "Lorem Ipsum"]
)
def test_placeholders_are_found(text: str) -> None:
    assert reason("placeholder", ask("q", text)).startswith("contains ")


@pytest.mark.parametrize(
    "text", ["a todo list", "if (a) {{ b; }} else", "<your>", "see [the address] book", "f'{name}'"]
)
def test_what_only_looks_like_a_placeholder_is_not(text: str) -> None:
    assert text == "<your>" or reason("placeholder", ask("q", text)) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\x1b[31mred", "ANSI"),
        ("\x1b]52;c;aGk=\x07", "OSC"),
        ("a\x9bb", "C1 control, U+009B"),
        ("a\0b", "U+0000"),
        ("a\u202eb", "bidi"),
        ("a\U000e0041b", "tag"),
        ("\ud800", "surrogate"),
    ],
)
def test_control_characters_are_named_and_never_quoted(text: str, words: str) -> None:
    found = reason("control_characters", ask("q", text))
    assert words in found
    assert found.isprintable()


def test_an_answer_that_echoes_the_question_is_found() -> None:
    assert reason("answer_equals_prompt", ask("Say it.", " say  it."))
    assert not reason("answer_equals_prompt", ask("Say it.", "It."))


def test_lengths_far_outside_the_rest_are_found_both_ways() -> None:
    rows = [ask("q", "word " * (20 + number % 10)) for number in range(200)]
    found = flags("length_outlier", *rows, ask("q", "word " * 2_000), ask("", "w"))
    assert [row for row, flag in enumerate(found) if flag] == [200, 201]
    assert found[200] is not None
    assert found[200].reason.startswith("10,001 characters"), "as the list counts them: what parts the turns is none"
    assert flags("length_outlier", *rows[:5], ask("q", "x" * 9_999)) == [None] * 6


def test_a_prompt_of_the_eval_set_is_a_leak_whatever_its_answer() -> None:
    prompt = prompt_digest(ask("How  far?", "Very."))
    assert prompt is not None
    context = Context(eval_prompts={prompt: EvalPlace("eval.jsonl", 1)})
    found = flags("leak_exact", ask("how far?", "5 km"), ask("How near?", "Very."), context=context)
    assert found[0] is not None
    assert "eval.jsonl, line 1" in found[0].reason
    assert found[1] is None


def test_a_row_without_sample_is_an_unreadable_row_and_nothing_else() -> None:
    for each in CHECKS:
        assert (flags(each.name, None) != [None]) is (each.name == "unreadable"), each.name


def test_every_check_explains_itself_and_has_its_own_name() -> None:
    assert len(BY_NAME) == len(CHECKS)
    for each in CHECKS:
        assert each.title
        assert each.help.endswith((".", "?")), each.name


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("<think>\n\n</think>\n\n10", "empty think block"),
        ("Six and six.\n</think>\n\n12", "</think> without an opening tag"),
        ("<think>\nI never come to an end", "<think> without a closing tag"),
        ("<think>\nOne.\n</think>\nTwo.\n</think>\n3", "</think> without an opening tag"),
        ("<think>\nFive and five.\n</think>\n\n10", ""),
        ("R1 writes `<think>` first and `</think>` last.", ""),
        ("<think>Five and five</think>10", ""),
        ("I think so.", ""),
    ],
)
def test_think_blocks_that_are_empty_or_torn_are_flagged(answer: str, word: str) -> None:
    said = reason("think_block", ask("Why?", answer))
    assert word in said
    assert bool(said) == bool(word)


def test_empty_reasoning_is_an_empty_think_block() -> None:
    turns = (Message("user", "2+2?"), Message("assistant", "4", reasoning=" \n"))
    assert "turn 2" in reason("think_block", Sample("messages", turns))


def test_media_name_their_kinds_and_the_turn() -> None:
    turns = (Message("user", "What is on it?", media=("image",)), Message("assistant", "A cat."))
    said = reason("media", Sample("messages", turns))
    assert "image" in said
    assert "turn 1" in said
    assert not reason("media", ask("What is on [image]?", "Nothing that I see."))


def test_rows_with_images_in_parts_or_in_columns_are_flagged() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = {"role": "assistant", "content": "A cat."}
    rows = [
        {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "What is on it?"}]}, answer]},
        {"images": ["a.png"], "messages": [{"role": "user", "content": "<image>What is on it?"}, answer]},
        {"image": "b.jpg", "messages": [{"role": "user", "content": "Describe."}, answer]},
        {"images": [], "messages": [{"role": "user", "content": "Describe a house."}, answer]},
    ]
    samples = [to_sample(row, recognize([row])) for row in rows]
    assert [bool(flag) for flag in flags("media", *samples)] == [True, True, True, False]
    assert "[image]" not in "".join(turn.content for sample in samples for turn in sample.messages)
