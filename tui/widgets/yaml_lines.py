"""A YAML text as styled lines for `TextView`: keys, values, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.clean import clean_line
from tui.widgets.text_view import TextLine

_LINE = re.compile(
    r"(?P<key>\s*[\w.-]+:)(?P<value>(?:\s+(?:\"(?:[^\"\\]|\\.)*\"|[^#\"]|(?<!\s)#)*)?)(?P<comment>#.*)?$"
)


def yaml_lines(text: str) -> Iterator[TextLine]:
    """The lines of a YAML text, whole: no value is cut or wrapped. What is not understood is shown plainly."""
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
            (found["comment"] or "", "muted"),
        )
        yield TextLine(tuple(span for span in spans if span[0]))
