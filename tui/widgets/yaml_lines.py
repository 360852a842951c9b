"""A YAML text as styled lines for `TextView`: keys, values, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.clean import clean_line
from tui.widgets.text_view import TextLine

_LINE = re.compile(
    r"(?P<key>\s*[\w.-]+:)(?P<value>(?:\s+(?:\"(?:[^\"\\]|\\.)*\"|[^#\"]|(?<!\s)#)*)?)(?P<comment>#.*)?$"
)

_LEAST_COMMENT = 12
"""Cells below which a cut comment says nothing and is left out."""


def yaml_lines(text: str, width: int) -> Iterator[TextLine]:
    """The lines of a YAML text; what is not understood is shown plainly.

    Args:
        text: the document.
        width: cells; a comment behind a value is cut there, so that the values keep their column.
    """
    for raw in text.splitlines():
        line = clean_line(raw)
        if line.lstrip().startswith("#"):
            yield TextLine(((line, "muted"),))
            continue
        found = _LINE.match(line)
        if found is None:
            yield TextLine(((line, "text"),))
            continue
        spans = (
            (found["key"], "key"),
            (found["value"] or "", "strong"),
            (_cut(found["comment"] or "", width - found.start("comment")), "muted"),
        )
        yield TextLine(tuple(span for span in spans if span[0]))


def _cut(comment: str, room: int) -> str:
    if len(comment) <= room:
        return comment
    return comment[: room - 1] + "…" if room >= _LEAST_COMMENT else ""
