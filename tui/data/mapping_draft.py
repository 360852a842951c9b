"""A mapping while it is being chosen: which format, which column is what, and what comes out of the first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.clean import clean_line
from core.dataset.formats import FORMATS, Recognition, choose, format_named, recognize, to_sample
from core.dataset.formats.turns import CONTENT_KEY, ROLE_KEY, ROLE_NAMES
from core.dataset.formats.unused import UnusedSearch
from core.dataset.mapping import AUTO, ENCODING, Chosen, SourceColumn, columns_of, propose, role_names, turns_of
from core.dataset.records import Unreadable
from core.dataset.sample import Sample
from core.errors import BadInput
from tui.widgets.form_field import Fault, FieldState, FormField, Section

NONE = "(none)"
_UTF8 = "UTF-8"
_ENCODINGS = (_UTF8, "cp1252", "latin-1", "cp1250", "cp1251", "gbk", "big5", "shift_jis", "euc-kr")
FORMAT = "format"
_GOOD = "label.good"
_USUAL = "(default)"


class MappingDraft:
    """The contents of the mapping form.

    Args:
        rows: the first rows of the file, parsed.
        recognition: what they were taken for.
        chosen: what the user has said before.

    Attributes:
        rows: the rows.
        columns: the file's columns.
        format: the format's name, or `auto`.
        said: field of the format (or name of an option) to column (or value); "" for none.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], recognition: Recognition, chosen: Chosen) -> None:
        self.rows = rows
        self.columns: list[SourceColumn] = columns_of(rows)
        self._shown = {_written(each.name): each.name for each in self.columns}
        self.format = chosen.format
        self._encoding = chosen.columns.get(ENCODING, "")
        self.said: dict[str, str] = dict(chosen.of_all.columns)
        if recognition.known:
            self.said = {**recognition.columns, **self.said}
        elif chosen.only_encodings:
            proposed = propose(rows)
            self.format, self.said = proposed.format, dict(proposed.columns)
        self._begun = self.chosen
        # What the program proposes is not what the user has said: the words tell them apart.
        self._unknown = "" if recognition.known or chosen.said else recognition.why.split(" Say which")[0]

    @property
    def changed(self) -> bool:
        """Whether something else is chosen than at first."""
        return self.chosen != self._begun

    # -- the form -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The format that counts: the one that is chosen, else the recognized one."""
        return recognize(self.rows).name if self.format == AUTO else self.format

    def sections(self) -> tuple[Section, ...]:
        """The form's fields: the format, its columns, and keys and names inside the values where there are any."""
        names = (AUTO, *(each.name for each in FORMATS))
        encodings = tuple(dict.fromkeys((*_ENCODINGS, self._encoding or _UTF8)))
        encoding = FormField(ENCODING, "encoding", "choice", encodings)
        found = [Section("rows", (FormField(FORMAT, "format", "choice", names),))]
        file = Section("file", (encoding,))
        if self.name not in names:
            return (*found, file)
        format = format_named(self.name)
        choices = (NONE, *self._shown)
        fields = [FormField(each.name, each.name, "choice", choices) for each in format.fields]
        found.append(Section("columns", tuple(fields)))
        inner = self._inner_fields()
        if inner:
            found.append(Section("keys and values", tuple(inner)))
        return (*found, file)

    def _inner_fields(self) -> list[FormField]:
        titles = {option.name: option.title for option in format_named(self.name).options}
        fields = []
        if _GOOD in titles and (labels := self._labels()):
            fields.append(FormField(_GOOD, titles[_GOOD], "choice", (_USUAL, *labels)))
        talk = self._talk()
        if ROLE_KEY in titles and talk:
            keys = (_USUAL, *map(_written, turns_of(self.rows, talk).keys))
            for name in (ROLE_KEY, CONTENT_KEY):
                fields.append(FormField(name, titles[name], "choice", keys))
            fields += [FormField(name, titles[name], "long") for name in titles if name.startswith(ROLE_NAMES)]
        return fields

    def states(self) -> dict[str, FieldState]:
        """What each field shows."""
        states = {FORMAT: FieldState(self.format, self.format != AUTO, self._title())}
        hint = "valid UTF-8 lines stay UTF-8" if self._encoding else ""
        states[ENCODING] = FieldState(self._encoding or _UTF8, bool(self._encoding), hint)
        if self.name == "unknown":
            return states
        columns = {each.name: each for each in self.columns}
        shown = {name: text for text, name in self._shown.items()}
        for each in format_named(self.name).fields:
            column = self.said.get(each.name, "")
            fault = Fault("error", "choose a column") if each.required and not column else None
            if column and list(self.said.values()).count(column) > 1:
                fault = Fault("warn", "used twice")
            hint = columns[column].kind if column in columns else "" if each.required else "optional"
            states[each.name] = FieldState(shown.get(column, NONE), bool(column), hint, fault)
        for field in self._inner_fields():
            value = self.said.get(field.key, "")
            states[field.key] = FieldState(value or (_USUAL if field.kind == "choice" else ""), bool(value))
        return states

    def take(self, key: str, text: str) -> None:
        """Take what was chosen or typed in a field."""
        if key == FORMAT:
            self._take_format(text)
            return
        if key == ENCODING:
            self._encoding = "" if text == _UTF8 else text
            return
        if self.format == AUTO:
            self.format = self.name
        if text == _USUAL:
            self.said.pop(key, None)
        elif key.startswith(ROLE_NAMES):
            self.said[key] = text
        else:
            self.said[key] = "" if text == NONE else self._shown.get(text, text)
        if key == ROLE_KEY and (talk := self._talk()):
            # Other speakers: their names are proposed again.
            for name in [name for name in self.said if name.startswith(ROLE_NAMES)]:
                del self.said[name]
            self.said.update(role_names(turns_of(self.rows, talk, self.said.get(key, "")).speakers))

    def _take_format(self, name: str) -> None:
        self.format = name
        if name == AUTO:
            self.said = dict(recognize(self.rows).columns)
            return
        format = format_named(name)
        names = {each.name for each in format.fields} | {each.name for each in format.options}
        kept = {key: value for key, value in self.said.items() if key in names and value}
        proposed = propose(self.rows)
        if proposed.format == name:
            kept = {**proposed.columns, **kept}
        mapped = format.map_columns([each.name for each in self.columns], kept)
        self.said = kept if mapped is None else mapped

    def _talk(self) -> str:
        """The column with turns among those that are chosen, or ""."""
        kinds = {each.name: each.kind for each in self.columns}
        return next((column for column in self.said.values() if kinds.get(column) == "turns"), "")

    def _labels(self) -> list[str]:
        """The values of the label's column, where they are not simply true and false."""
        column = self.said.get("label", "")
        values = list(dict.fromkeys(row[column] for row in self.rows if isinstance(row.get(column), (str, int, float))))
        if all(isinstance(value, bool) for value in values):
            return []
        return [_written(str(value)) for value in values[:12]]

    # -- what comes of it -----------------------------------------------------------------------------------

    @property
    def chosen(self) -> Chosen:
        """What is kept: of an automatic format nothing, else every column and what else was said."""
        encoding = {ENCODING: self._encoding} if self._encoding else {}
        if self.format == AUTO:
            return Chosen(columns=encoding)
        format = format_named(self.format)
        named = [*(each.name for each in format.fields), *(each.name for each in format.options)]
        fields = {each.name for each in format.fields}
        return Chosen(
            self.format,
            {name: self.said.get(name, "") for name in named if self.said.get(name) or name in fields} | encoding,
        )

    def recognition(self) -> Recognition | str:
        """What the rows are with this mapping, or why they are nothing yet, a sentence."""
        chosen = self.chosen
        try:
            found = choose(self.rows, chosen.named, chosen.of_all.columns)
        except BadInput as fault:
            # What to do on the command line is no help here: the columns stand in the form.
            return clean_line(f"{fault.what[:1].upper()}{fault.what[1:]}. Choose it below with ← and →.", 400)
        return found if found.known else found.why

    def sample(self, number: int) -> Sample | str:
        """One of the rows as a sample, or why it is none."""
        found = self.recognition()
        if isinstance(found, str):
            return found
        try:
            return to_sample(self.rows[number], found)
        except Unreadable as fault:
            return str(fault)

    def words(self) -> tuple[str, bool]:
        """What was seen and why, and how many rows fit; and whether the mapping can be taken."""
        found = self.recognition()
        if isinstance(found, str):
            return found, False
        fitting, reason = 0, ""
        unused = UnusedSearch()
        for row in self.rows:
            try:
                unused.see(row, found, to_sample(row, found))
                fitting += 1
            except Unreadable as fault:
                reason = reason or str(fault)
        share = f"{fitting} of the first {len(self.rows)} rows can be read this way"
        proposed = self._unknown and self.chosen == self._begun
        why = f"{self._unknown} Suggested: {format_named(found.name).title}." if proposed else found.why
        words = f"{why} {share}" + (f"; the others cannot: {reason}." if reason else ".")
        left = unused.found().words
        return clean_line(f"{words} N{left[1:]}." if left else words, 600), fitting > 0

    def _title(self) -> str:
        return "" if self.name == "unknown" else format_named(self.name).title


def _written(name: str) -> str:
    """A name as a choice shows it: clean, on one line."""
    return clean_line(str(name), 60) or "(empty name)"
