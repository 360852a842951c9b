"""Cells that hold an answer, a context or choices in the shapes of public question sets."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.dataset.formats.base import missing_words, no_number
from core.dataset.formats.decode import python_literal
from core.dataset.records import Unreadable, json_type

_TEXTS = ("text", "content", "contents", "passage", "paragraph", "passage_text", "body", "sentences", "contexts")
_ANSWERS = ("text", "value", "answer", "normalized_value")
_SEVERAL = frozenset(("contexts", "passages", "paragraphs", "documents", "answers"))
_LISTED = ("['", '["', "array(['", 'array(["')
_DIGITS = 19
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def held(value: Any) -> Any:
    """A cell's value; a text that is a list or an object as Python or NumPy print it is read as such."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{", "a"):
        try:
            found = python_literal(value)
        except Unreadable:  # shortened by NumPy
            return value
        return value if found is None else found
    return value


def held_texts(value: str, column: str) -> list[str] | None:
    """The texts of a list that stands as text in a cell, as pandas and NumPy print it; None for other text.

    In columns whose name says that they hold several: elsewhere such a text may be about lists.
    """
    start, end = value[:12].lstrip(), value.rstrip()[-1:]
    if column.lower().strip() not in _SEVERAL or not start.startswith(_LISTED) or end not in ("]", ")"):
        return None
    found = held(value)
    texts = isinstance(found, list) and bool(found) and all(isinstance(each, str) for each in found)
    return found if texts else None


def answer_in(value: Any) -> str | None:
    """The answer in a cell: text, a number, true or false, the first of several; None where it holds none.

    SQuAD holds `{"text": [...], "answer_start": [...]}`, TriviaQA `{"value": ..., "aliases": [...]}`.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    value = _squad(value)
    if no_number(value):
        return None
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return next((answer_in(value[key]) for key in _ANSWERS if key in value), None)
    if isinstance(value, list) and value:
        return answer_in(value[0])
    return None


def _squad(value: Any) -> Any:
    """A cell of a CSV file that holds SQuAD's answers as pandas prints them, as an object; any other as it is."""
    if isinstance(value, str) and value.startswith("{") and "answer_start" in value:
        return held(value)
    return value


def several(value: Any, column: str) -> Any:
    """A cell's value, as the list of texts that it prints where its column is named for several."""
    listed = held_texts(value, column) if isinstance(value, str) else None
    return value if listed is None else listed


def answers_in(value: Any) -> int:
    """How many different answers a cell holds."""
    value = _squad(value)
    if isinstance(value, Mapping):
        return max((answers_in(value[key]) for key in _ANSWERS if isinstance(value.get(key), list)), default=1)
    return len({answer_in(each) for each in value}) if isinstance(value, list) else 1


def holds_answer(value: Any) -> bool:
    """Whether a cell is of a shape that holds answers, if only none in this row."""
    value = _squad(value)
    if isinstance(value, Mapping):
        return any(key in value for key in _ANSWERS) and not ("role" in value or "from" in value)
    if isinstance(value, list):
        return all(
            isinstance(each, (str, int, float)) or (isinstance(each, dict) and holds_answer(each)) for each in value
        )
    return isinstance(value, (str, int, float))


def answer_text(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> str:
    """The answer in a mapped column.

    Raises:
        Unreadable: there is none.
    """
    column = columns.get(name)
    value = several(None if column is None else row.get(column), column or "")
    if isinstance(value, str) and not value.startswith("{"):
        return value
    if value is None:
        raise Unreadable(missing_words(row, [column or name]))
    found = answer_in(value)
    if found is None:
        if holds_answer(value):
            raise Unreadable(f"`{column}` has no answer for this question")
        raise Unreadable(f"`{column}` should be text, but it is {json_type(value)}")
    return found


def context_text(value: Any, column: str) -> str:
    """A context as text: texts, lists of them, and passages with a title, with an empty line between them.

    Raises:
        Unreadable: there is something else in it.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):  # as pandas writes what is not there
        return ""
    value = several(value, column)
    if what := no_number(value):
        raise Unreadable(f"`{column}` should be text, but it is {what}")
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], list):  # HotpotQA: title, sentences
            return _titled(value[0], _sentences(value[1], column))
        return "\n\n".join(filter(None, (context_text(each, column) for each in value)))
    if isinstance(value, Mapping):
        titles = value.get("title")
        inside = next((value[key] for key in _TEXTS if value.get(key) is not None), None)
        if isinstance(titles, list) and isinstance(inside, list) and len(titles) == len(inside):
            pairs = zip(titles, inside, strict=True)
            return "\n\n".join(_titled(str(title), _sentences(each, column)) for title, each in pairs)
        if inside is not None:
            text = context_text(inside, column)
            return _titled(titles, text) if isinstance(titles, str) else text
    raise Unreadable(f"`{column}` should be text or a list of texts, but it holds {json_type(value)}")


def _titled(title: str, text: str) -> str:
    return f"{title}\n{text}" if title.strip() and text.strip() else text or title


def _sentences(value: Any, column: str) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(each.strip() for each in value)
    return context_text(value, column)


def choices_in(value: Any) -> dict[str, str] | None:
    """Choices by their labels, in order: of a list, `{"label": [...], "text": [...]}`, or `{"A": ..., "B": ...}`."""
    value = held(value)
    if isinstance(value, Mapping):
        texts, labels = value.get("text", value.get("choices")), value.get("label", value.get("labels"))
        if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
            return {str(label): str(text) for label, text in zip(labels, texts, strict=True)}
        filled = {str(key): each for key, each in value.items() if each is not None}
        if len(filled) > 1 and all(isinstance(each, (str, int, float)) for each in filled.values()):
            return {key: str(each) for key, each in filled.items()}
        return None
    if not isinstance(value, list) or not 1 < len(value) <= len(_LETTERS):
        return None
    if all(isinstance(each, Mapping) for each in value):
        texts = [each.get("text", each.get("content", each.get("value"))) for each in value]
        names = [each.get("label", each.get("key", each.get("id", _LETTERS[n]))) for n, each in enumerate(value)]
        if any(text is None for text in texts):
            return None
        return {str(name): str(text) for name, text in zip(names, texts, strict=True)}
    if any(isinstance(each, (dict, list)) or each is None for each in value):
        return None
    return {_LETTERS[number]: str(each) for number, each in enumerate(value)}


def chosen_text(answer: Any, choices: Mapping[str, str], first: int) -> str:
    """The text of the choice that an answer names: by its label, its text, or its number.

    Args:
        answer: as the data holds it.
        choices: by their labels.
        first: the number of the first choice, 0 or 1.

    Raises:
        Unreadable: it names none of them by its number or letter.
    """
    texts = list(choices.values())
    said = answer_in(answer)
    if said is None:
        raise Unreadable("the answer is empty, so it matches no choice")
    said = said.strip()
    if said in texts and not isinstance(answer, (int, float)):
        return said
    label = said.strip("().: ")
    by_label = {name.strip("().: ").upper(): text for name, text in choices.items()}
    if label.upper() in by_label and not isinstance(answer, (int, float)):
        return by_label[label.upper()]
    if label.removeprefix("-").removesuffix(".0").isdecimal():
        number = _whole(label) - first
        if 0 <= number < len(texts):
            return texts[number]
        raise Unreadable(f"the answer {said[:20]} matches none of the {len(texts)} choices")
    if len(label) == 1 and label.upper() in _LETTERS:
        number = _LETTERS.index(label.upper())
        if number < len(texts):
            return texts[number]
        raise Unreadable(f"the answer {said[:20]!r} matches none of the {len(texts)} choices")
    return said


def _whole(digits: str) -> int:
    """The number that some digits, and `.0` behind them, are; of hundreds of digits one that is as good: too large."""
    return int(digits.removesuffix(".0")[:_DIGITS])


def first_number(rows: Sequence[Mapping[str, Any]], answer: str, choices: str) -> int:
    """The number of the first choice, 1 where the rows show that: the last choice by its count, and never 0."""
    numbers = []
    for row in rows:
        said, found = answer_in(row.get(answer)), choices_in(row.get(choices))
        if (
            said is not None
            and found
            and said.strip().removesuffix(".0").isdecimal()
            and said.strip() not in found.values()
        ):
            numbers.append((_whole(said.strip()), len(found)))
    return int(bool(numbers) and all(n > 0 for n, _ in numbers) and any(n == size for n, size in numbers))


def with_choices(question: str, choices: Mapping[str, str]) -> str:
    """The question with its choices below it, a line each; choices that begin with their labels get no second one."""
    if all(re.match(rf"\(?{re.escape(label)}[.:)]\s?", text) for label, text in choices.items()):
        return "\n".join((question, "", *choices.values()))
    return "\n".join((question, "", *(f"{label}. {text}" for label, text in choices.items())))
