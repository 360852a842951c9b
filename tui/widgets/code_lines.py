"""Code in fenced blocks, colored line by line: words, strings, comments and numbers, in time linear in the text.

No grammar of a library is asked: those backtrack, and a hostile row can make one hang for minutes. No pattern here
reads a character twice. See docs/decisions/0012-code-without-grammars.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tui.widgets.text_view import TextLine

_LONGEST = 2_000
"""Characters of a line beyond which it is no code that a person wrote, and stays plain."""

_BAR = "│"
_TRIPLE = ('"""', "'''")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PYTHON = _words(
    "False None True and as assert async await break case class continue def del elif else except finally for from "
    "global if import in is lambda match nonlocal not or pass raise return self try while with yield"
)
_BRACES = _words(
    "abstract as async await auto bool boolean break byte case catch char class const constexpr continue default "
    "defer delete do double elif else endif enum export extends extern false final finally float fn for foreach from "
    "func function go goto if impl implements import in include inline instanceof int interface internal let long "
    "loop match mod move mut namespace new nil null nullptr override package private protected pub public range ref "
    "return select self short signed sizeof static std string struct super switch template this throw throws trait "
    "true try type typedef typename typeof undefined union unsafe unsigned use using var virtual void where while yield"
)
_SHELL = _words(
    "case do done elif else esac export fi for function if in local return set then until while echo cd sudo true false"
)
_SQL = _words(
    "add all alter and as asc avg between by case count create cross default delete desc distinct drop else end exists "
    "false foreign from full group having if in index inner insert into is join key left like limit max min not null "
    "on or order outer primary references right select set sum table then true union unique update values when where "
    "with"
)
_LITERALS = _words("true false null yes no on off none nan inf")


@dataclass(frozen=True, slots=True)
class _Language:
    """How a family of languages writes things.

    Attributes:
        words: its keywords.
        comments: what begins a comment that ends with the line.
        block: what begins and ends a comment over lines, or None.
        folds: whether keywords may be written in capitals.
        triple: whether strings in triple quotes go over lines.
        keys: whether a string or word before a colon is a name.
    """

    words: frozenset[str]
    comments: tuple[str, ...] = ()
    block: tuple[str, str] | None = None
    folds: bool = False
    triple: bool = False
    keys: bool = False


_FAMILIES = {
    "py python python3 ipython pycon": _Language(_PYTHON, ("#",), triple=True),
    "rb ruby pl perl r elixir ex julia": _Language(_PYTHON | _SHELL | _words("end module require unless"), ("#",)),
    "c h cpp c++ cc cs csharp java js javascript jsx ts typescript tsx go golang rust rs kotlin kt swift php scala "
    "dart objc css scss": _Language(_BRACES, ("//",), ("/*", "*/")),
    "sh bash shell zsh console dockerfile makefile make powershell": _Language(_SHELL, ("#",)),
    "sql mysql postgresql sqlite": _Language(_SQL, ("--",), ("/*", "*/"), folds=True),
    "lua haskell hs": _Language(_PYTHON | _words("end function local then repeat until let where data do"), ("--",)),
    "json jsonl json5": _Language(_LITERALS, ("//",), keys=True),
    "yaml yml toml ini cfg": _Language(_LITERALS, ("#",), folds=True, keys=True),
    "html xml svg vue": _Language(frozenset(), (), ("<!--", "-->")),
}
LANGUAGES = {name: language for names, language in _FAMILIES.items() for name in names.split()}
"""How each language that a fence may name is colored; others stay plain."""


@cache
def _pattern(language: _Language) -> re.Pattern[str]:
    """What a line is read with, the first that fits from the left; no part of it can read a character twice."""
    opens = [re.escape(mark) for mark in _TRIPLE] if language.triple else []
    opens += [re.escape(language.block[0])] if language.block is not None else []
    parts = [f"(?P<open>{'|'.join(opens)})"] if opens else []
    parts += [f"(?P<comment>(?:{'|'.join(map(re.escape, language.comments))}).*)"] if language.comments else []
    parts += [
        r"""(?P<string>"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|`[^`]*+`?)""",
        r"(?P<number>(?<![\w.])\d[\w.]*+)",
        r"(?P<word>[^\W\d]\w*+)",
    ]
    return re.compile("|".join(parts))


def code_lines(lines: Iterable[str], language: str, indent: int) -> Iterator[TextLine]:
    """The lines of a block, each with a bar in the margin.

    Args:
        lines: clean, without line ends.
        language: as the fence names it.
        indent: cells before the text.
    """
    found = LANGUAGES.get(language.lower())
    until = ""  # what ends the comment or string that goes over lines
    for line in lines:
        if found is None or len(line) > _LONGEST:
            yield TextLine(((line, "text"),), indent, _BAR)
            continue
        spans, until = _spans(line, found, until)
        yield TextLine(tuple(spans) or (("", "text"),), indent, _BAR)


def _spans(line: str, language: _Language, until: str) -> tuple[list[tuple[str, str]], str]:
    """The styled pieces of a line, and what ends the comment or string that continues after it."""
    spans: list[tuple[str, str]] = []
    pattern = _pattern(language)
    at = plain_from = 0
    while True:
        if until:
            end = line.find(until, at)
            end = len(line) if end < 0 else end + len(until)
            _add(spans, line[plain_from:end], "code-string" if until in _TRIPLE else "code-comment")
            if not line.endswith(until, at, end):
                return spans, until
            at = plain_from = end
            until = ""
        match = pattern.search(line, at)
        if match is None:
            _add(spans, line[plain_from:], "text")
            return spans, ""
        at = match.end()
        if match.lastgroup == "open":
            _add(spans, line[plain_from : match.start()], "text")
            plain_from = match.start()
            until = match.group() if match.group() in _TRIPLE else language.block[1] if language.block else ""
        elif (style := _style(match, language)) != "text":
            _add(spans, line[plain_from : match.start()], "text")
            _add(spans, match.group(), style)
            plain_from = at


def _add(spans: list[tuple[str, str]], text: str, style: str) -> None:
    if text:
        spans.append((text, style))


def _style(match: re.Match[str], language: _Language) -> str:
    kind, word = match.lastgroup, match.group()
    if kind in ("comment", "string", "number"):
        if kind == "string" and language.keys and _names(match):
            return "key"
        return "number" if kind == "number" else f"code-{kind}"
    if language.keys and _names(match):
        return "key"
    return "code-word" if (word.lower() if language.folds else word) in language.words else "text"


def _names(match: re.Match[str]) -> bool:
    """Whether a colon or equals sign follows: then it is the name of a value."""
    return match.string[match.end() : match.end() + 2].lstrip()[:1] in (":", "=")
