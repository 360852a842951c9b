"""Regular expressions with a limit on time: a pattern must not stop a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import regex  # type: ignore[import-untyped]

from core.clean import clean_line
from core.errors import BadInput

_SECONDS = 2.0


def search_of(pattern: str) -> Callable[[str], Any]:
    """A function that looks for a pattern in a text, and gives its match or None.

    Raises:
        BadInput: the pattern is no regular expression; the function raises it where a text takes over two seconds.
    """
    try:
        compiled = regex.compile(pattern, regex.VERSION0)
    except regex.error as error:
        raise BadInput(
            f"{clean_line(pattern, 80)!r} is not a valid regular expression: {error}", where="rewards"
        ) from error

    def search(text: str) -> Any:
        try:
            return compiled.search(text, timeout=_SECONDS)
        except TimeoutError:
            raise BadInput(
                f"The pattern {clean_line(pattern, 80)!r} takes over {_SECONDS:g} s on a completion of "
                f"{len(text):,} characters",
                where="rewards",
                do="Avoid repeats that can match the same text, such as (a+)+ or .*.*",
            ) from None

    return search
