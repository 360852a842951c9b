"""Plain text for continued pretraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from core.dataset.formats.base import Format, FormatField, text_of
from core.dataset.sample import Sample


class PlainText(Format):
    """One column of text."""

    name = "text"
    title = "plain text"
    kind = "text"
    fields = (FormatField("text", ("text", "content", "document", "body", "code")),)

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the column holds text."""
        return isinstance(row.get(columns["text"]), str)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The text as it is."""
        return Sample("text", text=text_of(row, columns, "text"))

    def reason(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] = ()) -> str:
        """Which column."""
        return f"column `{columns['text']}`"


class PlainTextLines(PlainText):
    """Plain text files of which each line is a row; never detected, the user chooses it."""

    name = "text-lines"
    title = "plain text, one row per line"


class PlainTextFiles(PlainText):
    """Plain text files of which each is one row; never detected, the user chooses it."""

    name = "text-files"
    title = "plain text, one row per file"


UNITS: Mapping[str, Literal["line", "file"]] = {PlainTextLines.name: "line", PlainTextFiles.name: "file"}
"""What of a text file is a row in a format that the user has chosen; a paragraph in all others."""
