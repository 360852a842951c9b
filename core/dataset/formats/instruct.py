"""One question, one answer: Alpaca, question-answer, prompt-completion, nested instances, bare turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, text_of
from core.dataset.formats.chat import SYSTEM, TOOLS, tools_of, with_system
from core.dataset.formats.turns import TurnNames, decoded, is_turns, read_turns
from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Message, Sample

HISTORY = FormatField("history", ("history",), required=False)


def exchange(question: str, answer: str) -> tuple[Message, Message]:
    """A user turn and the assistant's answer to it."""
    return Message("user", question), Message("assistant", answer)


def is_text(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> bool:
    """Whether the field is mapped and holds text or a number."""
    value = row.get(columns[name]) if name in columns else None
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def joined(instruction: str, context: str) -> str:
    """The instruction with the input that it speaks of on the line below, as Alpaca's users write it."""
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
    )

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether instruction and output hold text."""
        return is_text(row, columns, "instruction") and is_text(row, columns, "output")

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then instruction and input as the user's turn, then the output."""
        question = joined(text_of(row, columns, "instruction"), text_of(row, columns, "input", required=False))
        messages = (*read_history(row, columns), *exchange(question, text_of(row, columns, "output")))
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


class QuestionAnswer(Format):
    """`question` and `answer`, with `context` where it is."""

    name = "question-answer"
    title = "question and answer"
    kind = "messages"
    fields = (
        FormatField("question", ("question", "query", "q")),
        FormatField("answer", ("answer", "response", "a", "solution")),
        FormatField("context", ("context", "passage"), required=False),
        HISTORY,
        SYSTEM,
    )

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both hold text."""
        return is_text(row, columns, "question") and is_text(row, columns, "answer")

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then context and question as the user's turn, then the answer."""
        context = text_of(row, columns, "context", required=False)
        question = text_of(row, columns, "question")
        asked = f"{context}\n\n{question}" if context.strip() else question
        messages = (*read_history(row, columns), *exchange(asked, text_of(row, columns, "answer")))
        return Sample("messages", messages=with_system(messages, row, columns))


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
    )
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both hold text or turns."""
        names = TurnNames.of(columns)
        return all(
            is_text(row, columns, name) or is_turns(row.get(columns[name]), keys=names.keys)
            for name in ("prompt", "completion")
        )

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """History, then the prompt's turns, then the completion's."""
        messages = (
            *read_history(row, columns),
            *turns_or_text(row, columns, "prompt", "user"),
            *turns_or_text(row, columns, "completion", "assistant"),
        )
        return Sample("messages", messages=with_system(messages, row, columns), tools=tools_of(row, columns))


def turns_or_text(row: Mapping[str, Any], columns: Mapping[str, str], name: str, role: str) -> tuple[Message, ...]:
    """A field that holds turns, or text that is one turn of `role`."""
    value = row.get(columns[name])
    if isinstance(value, (list, dict)):
        return read_turns(value, TurnNames.of(columns))
    return (Message("user" if role == "user" else "assistant", text_of(row, columns, name)),)


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
