"""A sample as a chat: thinking folded but never an answer, code coloured, tools named; linear in the text."""

from __future__ import annotations

import time

from core.dataset.sample import Message, Sample
from tui.widgets.chat_lines import chat_lines, thinks
from tui.widgets.code_lines import LANGUAGES, code_lines
from tui.widgets.message_lines import message_lines, split_thinking
from tui.widgets.text_view import TextLine


def shown(lines: list[TextLine]) -> list[str]:
    return ["".join(text for text, _ in line.spans) for line in lines]


def styles(source: str, language: str) -> set[tuple[str, str]]:
    return {span for line in code_lines(source.split("\n"), language, 0) for span in line.spans if span[1] != "text"}


def test_thinking_is_one_line_until_it_is_unfolded() -> None:
    answer = Message("assistant", "<think>Let me see.\nIt is seven.</think>\nSeven.", reasoning="by the field")
    sample = Sample("messages", (Message("user", "How many?"), answer))
    assert thinks(sample)
    folded = shown(list(chat_lines(sample, folded=True)))
    assert [line for line in folded if "thinking" in line] == [
        "▸ thinking, 12 characters  by the field…",
        "▸ thinking, 24 characters  Let me see. It is seven.…",
    ]
    assert "Seven." in folded
    assert "It is seven." not in folded
    whole = shown(list(chat_lines(sample, folded=False)))
    assert "It is seven." in whole
    assert "by the field" in whole


def test_thinking_that_is_never_closed_hides_nothing() -> None:
    assert split_thinking("<think>no end, and the answer") == [("<think>no end, and the answer", False)]
    assert not thinks(Sample("text", text="about the tag <think> itself"))
    assert split_thinking("a<think>b</think>c<think>d") == [("a", False), ("b", True), ("c<think>d", False)]


def test_tools_calls_and_their_answers_are_shown() -> None:
    takes = {"type": "object", "properties": {"city": {}, "unit": {}}, "required": ["city"]}
    tool = {"name": "get_weather", "description": "Looks the weather up", "parameters": takes}
    call = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}}
    turns = (
        Message("user", "Will it rain?"),
        Message("assistant", "", tool_calls=(call, {"type": "function", "function": {"name": "stop"}})),
        Message("tool", "Rain until noon.", name="get_weather"),
        Message("assistant", "Yes, until noon."),
    )
    sample = Sample("messages", turns, tools=({"type": "function", "function": tool},))
    lines = [line for line in shown(list(chat_lines(sample))) if line]
    assert lines[:2] == ["tools", "get_weather(city, unit?)  Looks the weather up"]
    at = lines.index("calls get_weather")
    end = lines.index("calls stop")
    assert lines[at - 1] == "assistant", "a call without words has no empty line above it"
    assert [word for word in ("city", "Oslo", "days", "3") if word in " ".join(lines[at + 1 : end])] == [
        "city", "Oslo", "days", "3",
    ]  # fmt: skip
    assert lines[-4:] == ["tool get_weather", "Rain until noon.", "assistant", "Yes, until noon."]


def test_fenced_code_is_colored_and_has_a_bar_in_the_margin() -> None:
    lines = list(message_lines('See:\n```python\nx = "a"  # why\n```\nDone.', indent=0, folded=True))
    assert shown(lines) == ["See:", "```python", 'x = "a"  # why', "```", "Done."]
    assert lines[2].bar == "│", "not by colour alone"
    assert ('"a"', "code-string") in lines[2].spans
    assert ("# why", "code-comment") in lines[2].spans


def test_strings_hold_no_comments_and_comments_no_strings() -> None:
    assert styles('glob("src/*.js") // "no', "js") == {('"src/*.js"', "code-string"), ('// "no', "code-comment")}
    assert styles('/* "a\nb" */ return 1;', "c") == {
        ('/* "a', "code-comment"), ('b" */', "code-comment"), ("return", "code-word"), ("1", "number"),
    }  # fmt: skip
    assert styles('{"a": [true, "b"]}', "json") == {('"a"', "key"), ("true", "code-word"), ('"b"', "code-string")}
    assert styles('s = """a\n# b"""', "python") == {('"""a', "code-string"), ('# b"""', "code-string")}
    assert styles("select 1 -- all", "SQL") == {("select", "code-word"), ("1", "number"), ("-- all", "code-comment")}


def test_every_character_of_code_is_shown() -> None:
    source = "".join(chr(32 + number * 7 % 95) for number in range(1_500))
    for language in LANGUAGES:
        assert shown(list(code_lines([source], language, 0))) == [source], language


def test_hostile_texts_take_no_more_than_linear_time() -> None:
    attacks = ['"\\' * 100_000, "<think>" * 30_000, "<think>a</think>" * 10_000 + "<thought>", "```" * 60_000]
    attacks += ["```python\n" * 20_000, "~~~\n```\n" * 20_000, "```c\n" + ("/*" * 900 + "\n") * 100]
    for attack in attacks:
        began = time.process_time()
        list(message_lines(attack, indent=0, folded=True))
        assert time.process_time() - began < 2, attack[:20]  # a quadratic one takes minutes
