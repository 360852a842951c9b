"""One question, one answer: Alpaca, question-answer, prompt-completion, nested instances, bare turns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, FormatOption, text_of
from core.dataset.formats.cells import (
    answer_text,
    answers_in,
    choices_in,
    chosen_text,
    context_text,
    first_number,
    holds_answer,
    several,
    with_choices,
)
from core.dataset.formats.chat import LOSS, SYSTEM, TOOLS, tools_of, with_loss, with_system, without_other_loss
from core.dataset.formats.decode import decoded
from core.dataset.formats.turns import TurnNames, is_turns, read_turns, turns_in
from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Message, Sample

HISTORY = FormatField("history", ("history",), required=False)


REASONING = FormatField("reasoning", (), required=False)
"""Thinking before the answer; never taken from a column that the user has not named."""


def exchange(question: str, answer: str) -> tuple[Message, Message]:
    """A user turn and the assistant's answer to it."""
    return Message("user", question), Message("assistant", answer)


def is_text(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> bool:
    """Whether the field is mapped and holds text or a number."""
    value = row.get(columns[name]) if name in columns else None
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def is_answer(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> bool:
    """Whether the field is mapped and holds text, a number, or true or false."""
    return isinstance(row.get(columns[name]) if name in columns else None, (str, int, float))


def answer_of_row(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> str:
    """The one answer in a mapped column: text, a number, or true or false.

    Raises:
        Unreadable: it is missing, or something else.
    """
    value = row.get(columns[name])
    return answer_text(row, columns, name) if isinstance(value, bool) else text_of(row, columns, name)


def context_of(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> str:
    """The context in a mapped column, or ""."""
    column = columns.get(name)
    return "" if column is None else context_text(row.get(column), column)


def with_reasoning(
    messages: tuple[Message, ...], row: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[Message, ...]:
    """Turns whose last one, the answer, has the thinking of a column that the user has named."""
    said = text_of(row, columns, "reasoning", required=False) if "reasoning" in columns else ""
    if not said.strip() or not messages or messages[-1].reasoning:
        return messages
    return (*messages[:-1], replace(messages[-1], reasoning=said))


def joined(instruction: str, context: str) -> str:
    """The instruction with the input that it speaks of on the line below, as Alpaca's users write it."""
    if not instruction.strip() and context.strip():
        return context
    return f"{instruction}\n{context}" if context.strip() else instruction


class Alpaca(Format):
    """`instruction`, `input`, `output`, with `system` and `history` where they are."""

    name = "alpaca"
    title = "Alpaca (instruction, input, output)"
    kind = "messages"
    fields = (
        FormatField("instruction", ("instruction", "instructions")),
        FormatField("input", ("input", "context"), required=False),
        FormatField("output", ("output", "response", "answer", "completion", "target")),
        HISTORY,
        SYSTEM,
        TOOLS,
        REASONING,
        LOSS,
    )

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether instruction and output hold text."""
        return is_text(row, columns, "instruction") and is_answer(row, columns, "output")

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """Without a column for the loss that holds something else."""
        return without_other_loss(rows, columns)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then instruction and input as the user's turn, then the output."""
        question = joined(text_of(row, columns, "instruction"), context_of(row, columns, "input"))
        answered = with_reasoning(exchange(question, answer_of_row(row, columns, "output")), row, columns)
        answered = with_loss(answered, row, columns)
        messages = (*read_history(row, columns), *answered)
        return Sample("messages", messages=with_system(messages, row, columns), tools=tools_of(row, columns))


def read_history(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[Message, ...]:
    """Earlier turns: pairs of question and answer, or turns; as a list or as its JSON text (CSV cells hold that)."""
    column = columns.get("history")
    value = None if column is None else row.get(column)
    if isinstance(value, str) and value.strip():
        try:
            value = decoded(value)
        except Unreadable as fault:
            raise Unreadable(f"`history` should be a list of pairs: {fault}") from None
    if not value:
        return ()
    if not isinstance(value, list):
        raise Unreadable(f"`history` should be a list of pairs, but it is {json_type(value)}")
    if is_turns(value):
        return read_turns(value)
    messages: list[Message] = []
    for number, pair in enumerate(value, 1):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise Unreadable(f"entry {number} of `history` is not a pair of question and answer")
        messages += exchange(*pair)
    return tuple(messages)


_FIRST = "choices.first"


class QuestionAnswer(Format):
    """`question` and `answer`, with `context` where it is."""

    name = "question-answer"
    title = "question and answer"
    kind = "messages"
    fields = (
        FormatField("question", ("question", "query", "q", "question_stem", "problem")),
        FormatField(
            "answer",
            (
                "answer",
                "answers",
                "response",
                "a",
                "solution",
                "correct_answer",
                "answerkey",
                "answer_key",
                "answer_idx",
                "answer_index",
            ),
        ),
        FormatField("context", ("context", "contexts", "passage", "passages", "article", "paragraph"), required=False),
        FormatField("choices", ("choices", "options"), required=False),
        HISTORY,
        SYSTEM,
        REASONING,
        LOSS,
    )
    options = (FormatOption(_FIRST, "first choice"),)

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both hold text, or what answers are held in."""
        value = row.get(columns["answer"])
        return is_text(row, columns, "question") and value is not None and holds_answer(value)

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """Without choices that are none; with the number of the first one where that is 1."""
        found = without_other_loss(rows, columns)
        column = found.get("choices")
        if column is None:
            return found
        filled = [row for row in rows if row.get(column) is not None]
        if not filled or not all(choices_in(row[column]) for row in filled):
            return {name: each for name, each in found.items() if name != "choices"}
        return {**found, _FIRST: "1"} if first_number(rows, found["answer"], column) else found

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then context, question and choices as the user's turn, then the answer."""
        context = context_of(row, columns, "context")
        question, answer = text_of(row, columns, "question"), answer_text(row, columns, "answer")
        listed = row.get(columns["choices"]) if "choices" in columns else None
        if listed is not None:
            choices = choices_in(listed)
            if choices is None:
                raise Unreadable(f"`{columns['choices']}` should be a list of texts, but it is {json_type(listed)}")
            question = with_choices(question, choices)
            answer = chosen_text(row[columns["answer"]], choices, columns.get(_FIRST) == "1")
        asked = f"{context}\n\n{question}" if context.strip() else question
        answered = with_loss(with_reasoning(exchange(asked, answer), row, columns), row, columns)
        messages = (*read_history(row, columns), *answered)
        return Sample("messages", messages=with_system(messages, row, columns))

    def reason(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] = ()) -> str:
        """Which columns; with choices or several answers, which of them is the answer."""
        found = super().reason(columns, rows)
        if any(answers_in(several(row.get(columns["answer"]), columns["answer"])) > 1 for row in rows):
            found += f"; the first of several answers in `{columns['answer']}` is used"
        if "choices" not in columns:
            return found
        counted = "from 1" if columns.get(_FIRST) == "1" else "from 0"
        return (
            f"{found}; the choices are added to the question, and a numbered answer (counted {counted}) becomes the "
            "text of that choice"
        )


class PromptCompletion(Format):
    """`prompt` and `completion`, as text or as lists of turns."""

    name = "prompt-completion"
    title = "prompt and completion"
    kind = "messages"
    fields = (
        FormatField("prompt", ("prompt", "input", "question", "source", "user")),
        FormatField("completion", ("completion", "response", "output", "answer", "target", "generation", "assistant")),
        HISTORY,
        SYSTEM,
        TOOLS,
        REASONING,
        LOSS,
    )
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both hold text or turns."""
        names = TurnNames.of(columns)
        turns = {name: is_turns(row.get(columns[name]), keys=names.keys) for name in ("prompt", "completion")}
        asked = turns["prompt"] or is_text(row, columns, "prompt")
        return asked and (turns["completion"] or is_answer(row, columns, "completion"))

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """Without a column for the loss that holds something else."""
        return without_other_loss(rows, columns)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then the prompt's turns, then the completion's."""
        completion = turns_or_text(row, columns, "completion", "assistant")
        messages = (
            *read_history(row, columns),
            *turns_or_text(row, columns, "prompt", "user"),
            *with_loss(with_reasoning(completion, row, columns), row, columns),
        )
        return Sample("messages", messages=with_system(messages, row, columns), tools=tools_of(row, columns))


def turns_or_text(row: Mapping[str, Any], columns: Mapping[str, str], name: str, role: str) -> tuple[Message, ...]:
    """A field that holds turns, or text that is one turn of `role`."""
    names = TurnNames.of(columns)
    value = row.get(columns[name])
    turns = turns_in(value, names)
    if turns is not None and is_turns(turns, keys=names.keys):
        return read_turns(turns, names)
    if role == "user":
        return (Message("user", text_of(row, columns, name)),)
    return (Message("assistant", answer_of_row(row, columns, name)),)


_LIKE_AN_ANSWER = re.compile(r"respon|answer|complet|output|chosen|reject|winner|loser|generat|reply|target|label")
"""Columns that may hold answers, so that a prompt next to them does not count as a prompt alone."""


class Prompts(Format):
    """`prompt` alone, as text or as a list of turns: a task writes the answers while it trains."""

    name = "prompts"
    title = "prompts without answers"
    kind = "prompt"
    fields = (FormatField("prompt", ("prompt",)), SYSTEM)
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the prompt is text, or turns of which the last one waits for an answer, and nothing may be one."""
        if any(_LIKE_AN_ANSWER.search(name.lower()) for name in row):
            return False
        names = TurnNames.of(columns)
        value = row.get(columns["prompt"])
        if not is_turns(value, keys=names.keys):
            return is_text(row, columns, "prompt")
        try:
            return read_turns(value, names)[-1].role != "assistant"
        except Unreadable:
            return False

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The prompt's turns."""
        asked = turns_or_text(row, columns, "prompt", "user")
        if asked[-1].role == "assistant":
            raise Unreadable("the prompt ends with an assistant turn")
        return Sample("prompt", messages=with_system(asked, row, columns))


class Instances(Format):
    """Self-Instruct's seed tasks: an instruction with a list of instances."""

    name = "instances"
    title = "instruction with nested instances"
    kind = "messages"
    fields = (FormatField("instruction", ("instruction",)), FormatField("instances", ("instances",)))

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether there is a list of objects beside the instruction."""
        value = row.get(columns["instances"])
        return is_text(row, columns, "instruction") and isinstance(value, list)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """Each instance as an exchange, one after the other: the input as question, the output as answer."""
        instruction = text_of(row, columns, "instruction")
        value = row.get(columns["instances"])
        if not isinstance(value, list) or not value:
            raise Unreadable("`instances` is empty")
        messages: list[Message] = []
        names = {"input": "input", "output": "output"}
        for number, instance in enumerate(value, 1):
            if not isinstance(instance, dict):
                raise Unreadable(f"instance {number} should be an object, but it is {json_type(instance)}")
            if instance.get("output") is None:
                raise Unreadable(f"instance {number} has no `output`")
            context = text_of(instance, names, "input", required=False)
            messages += exchange(joined(instruction, context), text_of(instance, names, "output"))
        return Sample("messages", messages=tuple(messages))


class UserTurns(Format):
    """A list of user turns, with reference answers where there are some (MT-Bench)."""

    name = "turns"
    title = "user turns, answers optional"
    kind = "messages"
    fields = (FormatField("turns", ("turns",)), FormatField("reference", ("reference",), required=False))

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the turns are texts."""
        value = row.get(columns["turns"])
        return isinstance(value, list) and bool(value) and all(isinstance(turn, str) for turn in value)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """Questions with their reference answers between them, as far as those go."""
        if not self.matches(row, columns):
            raise Unreadable("`turns` should be a list of texts")
        questions = row[columns["turns"]]
        answers = row.get(columns.get("reference", "")) or []
        messages: list[Message] = []
        for number, question in enumerate(questions):
            messages.append(Message("user", question))
            answer = answers[number] if isinstance(answers, list) and number < len(answers) else ""
            if isinstance(answer, str) and answer:
                messages.append(Message("assistant", answer))
        return Sample("messages", messages=tuple(messages))
