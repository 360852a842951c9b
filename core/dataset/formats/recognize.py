"""Which format a dataset is in, detected from the columns and values of its first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.dataset.formats.base import UNKNOWN, Format, Recognition
from core.dataset.formats.chat import Gemini, Messages, ShareGpt
from core.dataset.formats.instruct import Alpaca, Instances, PromptCompletion, Prompts, QuestionAnswer, UserTurns
from core.dataset.formats.parts import MEDIA_KEYS, media_in
from core.dataset.formats.preference import HostedPreference, Kto, Preference
from core.dataset.formats.text import PlainText, PlainTextFiles, PlainTextLines
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample
from core.errors import BadInput

FORMATS: tuple[Format, ...] = (
    HostedPreference(),
    Preference(),
    Kto(),
    Messages(),
    ShareGpt(),
    Gemini(),
    Instances(),
    Alpaca(),
    QuestionAnswer(),
    PromptCompletion(),
    UserTurns(),
    Prompts(),
    PlainText(),
    PlainTextLines(),
    PlainTextFiles(),
)
"""Every format, the most telling shape first: the first that matches half of the rows is used."""

_IMAGE = "<image>"
_BY_NAME = {each.name: each for each in FORMATS}

OPTIONS = frozenset(option.name for each in FORMATS for option in each.options)
"""Names in a mapping whose values are no columns."""

_FIELDS = OPTIONS.union(one.name for each in FORMATS for one in each.fields)


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        BadInput: there is none; names those there are.
    """
    found = _BY_NAME.get(name)
    if found is None:
        raise BadInput(f"unknown format {name!r}", do=f"Formats: {', '.join(_BY_NAME)}")
    return found


def recognize(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> Recognition:
    """Says what format rows are in.

    Args:
        rows: the first good rows, parsed; some dozens are enough.
        columns: field to column where the user has corrected the mapping.
    """
    present = _columns(rows)
    for each in FORMATS:
        mapping = each.map_columns(present, columns or {})
        if mapping is None:
            continue
        mapping = {**each.refine(rows, mapping), **_said(columns)}
        fitting = each.fitting(rows, mapping)
        if fitting * 2 >= len(rows) and fitting:
            said = each.title if fitting == len(rows) else f"{each.title} in {fitting} of the first {len(rows)} rows"
            found = each.reason(mapping, rows)
            why = f"{said}{f'; {found}' if found else ''}."
            return Recognition(each.name, why, mapping, each.kind, present)
    named = ", ".join(f"`{name}`" for name in present[:8]) or "none"
    more = ", ..." if len(present) > 8 else ""
    why = f"No known format matches. The columns are {named}{more}. Say which column is which."
    return Recognition(UNKNOWN, why, {}, None, present)


def choose(
    rows: Sequence[Mapping[str, Any]], name: str | None = None, columns: Mapping[str, str] | None = None
) -> Recognition:
    """As `recognize`, but of the format that the user names, if one is named.

    Raises:
        BadInput: the format or a column does not exist, or a required field has no column.
    """
    present = _columns(rows)
    wrong = [
        column for name, column in (columns or {}).items() if column and name not in OPTIONS and column not in present
    ]
    if wrong:
        raise BadInput(f"no column {wrong[0]!r}", where="columns", do=f"Columns: {', '.join(present) or 'none'}")
    if name is None:
        foreign = next((each for each in columns or {} if each not in _FIELDS), None)
        if foreign is not None:
            known = ", ".join(sorted(_FIELDS - OPTIONS))
            raise BadInput(f"no format has a field {foreign!r}", where="columns", do=f"Fields: {known}")
        return recognize(rows, columns)
    chosen = format_named(name)
    names = [*(each.name for each in chosen.fields), *(each.name for each in chosen.options)]
    unknown = [field for field in columns or {} if field not in names]
    if unknown:
        fields = ", ".join(names)
        raise BadInput(f"the format {name} has no field {unknown[0]!r}", where="columns", do=f"Fields: {fields}")
    mapping = chosen.map_columns(present, columns or {})
    if mapping is None:
        missing = [
            each.name
            for each in chosen.fields
            if each.required
            and not (columns or {}).get(each.name)
            and not any(name in each.spellings for name in map(str.lower, present))
        ]
        raise BadInput(
            f"the format {name} needs a column for {', '.join(missing)}, and none was found",
            do=f"Name it: {missing[0] if missing else ''}=COLUMN. Columns: {', '.join(present)}",
        )
    mapping = {**chosen.refine(rows, mapping), **_said(columns)}
    return Recognition(name, f"{chosen.title}, your choice.", mapping, chosen.kind, present)


def to_sample(row: Mapping[str, Any], recognition: Recognition) -> Sample:
    """The sample of a parsed row.

    Raises:
        Unreadable: the row cannot be formatted, with the reason as a phrase.
    """
    found = _BY_NAME.get(recognition.name)
    if found is None:
        raise Unreadable("unknown format: say which column is which")
    try:
        return _with_media(found.build(row, recognition.columns), row, recognition.columns)
    except Unreadable:
        if missing := found.missing(row, recognition.columns):
            raise Unreadable(missing) from None
        raise


def _with_media(sample: Sample, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
    """The sample, whose first user turn has the media that the row holds in columns of their own (`images`).

    Without such a column a placeholder at the beginning of a question, or on its last line, stands for an image.
    """
    if not sample.messages:
        return sample
    if MEDIA_KEYS.isdisjoint(row):
        place = next((n for n, turn in enumerate(sample.messages) if _shows(turn)), -1)
        media: tuple[str, ...] = ("image",)
    else:
        used = columns.values()
        media = media_in({name: value for name, value in row.items() if name not in used})
        place = next((n for n, turn in enumerate(sample.messages) if turn.role == "user"), 0)
    if not media or place < 0:
        return sample
    turn = sample.messages[place]
    turn = replace(turn, media=tuple(dict.fromkeys((*turn.media, *media))))
    return replace(sample, messages=(*sample.messages[:place], turn, *sample.messages[place + 1 :]))


def _shows(turn: Message) -> bool:
    """Whether a turn asks about an image that stands elsewhere."""
    if turn.role != "user" or _IMAGE not in turn.content or turn.media:
        return False
    return turn.content.startswith(_IMAGE) or turn.content.rstrip().endswith(f"\n{_IMAGE}")


def _said(columns: Mapping[str, str] | None) -> dict[str, str]:
    """What the user has named, which no look at the rows takes back."""
    return {name: column for name, column in (columns or {}).items() if column}


def _columns(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for row in rows for column in row))
