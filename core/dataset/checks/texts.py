"""Faults in what a sample says."""

from __future__ import annotations

import re
import unicodedata

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item, normalize


class Placeholder(Check):
    """A template that was never filled in.

    What stands in code is none: in a code block or between backticks, in a line of code or markup, and in a text about
    templates.
    """

    name = "placeholder"
    title = "unfilled placeholder"
    help = (
        "A template variable was never filled in, such as {{name}}, TODO or <insert ...>; the model would learn to say "
        "it. Code is not checked."
    )
    example = '`"Dear {{customer_name}}, ..."`'
    advice = "Fill it in where the data is made, or drop the row. Keep it if the text is about templates."

    _GAP = r"(?i:insert|your|(?:enter|add) (?:your|the|an?|here|name|date)|fill in|placeholder)\b"
    # Each pattern with a text that must occur first: looking for that costs a hundredth of the pattern.
    _PATTERNS = (
        ("{{", re.compile(r"\{\{ ?[A-Za-z_][\w -]{0,40}\}\}")),  # a dot in it is code: {{ form.as_p }}
        ("[", re.compile(rf"\[{_GAP}[^\[\]\n]{{0,60}}\]")),
        ("<", re.compile(rf"<{_GAP}[^<>\n]{{0,60}}>")),
        # Only where a note would stand: Spanish in capitals says TODO too, and Go has context.TODO().
        ("TODO", re.compile(r"(?:^|[\n#*/>-] ?)\bTODO\b(?!\()|\bTODO(?::|\(\w)")),
        ("FIXME", re.compile(r"\bFIXME\b")),
        ("XXXX", re.compile(r"\bXXXX+\b")),
    )
    # What a line of code or markup has, and prose has not: comments, statements and commands at its beginning ...
    _STATEMENT = re.compile(
        r"\s*(?://|/\*|#.*(?:TODO|FIXME)|--\s|<!--|\$ |>>>|curl |import \w+;?$|from \w+ import|def \w+\(|class \w+[:({]"
        r"|return\b.*[;)}\"'\]]$|if\b.*:$|for\b.*:$|echo [\"'$]|print\(|[}\])])"
    )
    # ... and tags, attributes, ends of statements, calls, arrows, assignments, keys, f-strings and variables in it.
    _SIGNS = re.compile(
        r"\{%|</\w|<\w+[^<>]*\w=[\"']|/>|[;{]\s*$|\w\([^()]*\)?\s*[;{]|=>|->|:=|\w ?= ?[\"'f{\[]"
        r"|[\"']\s*:\s*[\"'{\[]|\bf[\"']|\$\{"
    )
    _ABOUT_TEMPLATES = re.compile(r"jinja|handlebars|mustache|liquid templ|vue\.?js|angular|django|helm chart|f-string")
    _LOOKED_AT = 8

    def inspect(self, item: Item) -> Flag | None:
        """Quotes the first placeholder outside code."""
        text = item.text
        for begin, pattern in self._PATTERNS:
            if begin not in text:
                continue
            for number, found in enumerate(pattern.finditer(text)):
                if number >= self._LOOKED_AT:
                    break
                if not self._is_code(text, found.start(), found.end()):
                    if begin == "{{" and self._ABOUT_TEMPLATES.search(item.normalized):
                        break
                    return self.flag(f"contains {found.group()[:60].strip()}")
        if "lorem ipsum" in item.normalized:
            at = text.lower().find("lorem ipsum")
            if at < 0 or not self._is_code(text, at, at + 1):
                return self.flag("contains lorem ipsum")
        return None

    def _is_code(self, text: str, start: int, end: int) -> bool:
        """Whether a place stands in a code block, between backticks, or in a line of code or markup."""
        if text.count("```", 0, start) % 2:
            return True
        line_start = text.rfind("\n", 0, end - 1) + 1
        line_end = text.find("\n", end)
        line = text[line_start : line_end if line_end >= 0 else len(text)][:2_000]
        if line[: max(0, start - line_start)].replace("```", "").count("`") % 2:
            return True
        if (
            text[start:end].strip("\n#*/>- :(").startswith(("TODO", "FIXME"))
        ):  # a note in a comment was never worked off
            return False
        return bool(self._STATEMENT.match(line) or self._SIGNS.search(line))


class ControlCharacters(Check):
    """Characters that a terminal obeys or that hide or reorder text."""

    name = "control_characters"
    title = "control characters"
    help = (
        "Escape sequences, control characters, bidi marks or invisible tag characters: terminal leftovers, or"
        " an attack."
    )
    example = "`\\u001b[31mred`"
    advice = "Strip them from the file, or drop the row. tunedeck never sends them to your terminal."

    _PATTERN = re.compile(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
    )

    _PLAIN_ASCII = bytes((*b"\t\n\r", *range(0x20, 0x7F)))

    def inspect(self, item: Item) -> Flag | None:
        """Says which kind and which code, and never the character itself."""
        if item.text.isascii() and not item.text.encode().translate(None, self._PLAIN_ASCII):
            return None  # a tenth of the pattern's time
        found = self._PATTERN.search(item.text)
        if found is None:
            return None
        code = ord(found.group())
        following = item.text[found.end() : found.end() + 1]
        if code == 0x1B and following == "]":
            kind = "an OSC sequence (it can reach clipboard and title)"
        elif code == 0x1B and following == "[":
            kind = "an ANSI escape sequence"
        elif 0x80 <= code <= 0x9F:
            kind = "a C1 control"
        elif unicodedata.category(found.group()) == "Cf":
            kind = "an invisible tag character" if code >= 0xE0000 else "a bidi control"
        elif 0xD800 <= code <= 0xDFFF:
            kind = "half a surrogate pair"
        else:
            kind = "a control character"
        times = len(self._PATTERN.findall(item.text))
        return self.flag(f"{kind}, U+{code:04X}" + (f", and {times - 1:,} more" if times > 1 else ""))


class AnswerEqualsPrompt(Check):
    """The answer repeats the question."""

    name = "answer_equals_prompt"
    title = "answer equals prompt"
    help = "The answer repeats the prompt, which teaches the model to echo."
    example = '`{"prompt": "Say hello.", "completion": "Say hello."}`'
    advice = "Write a real answer or drop the row."

    def inspect(self, item: Item) -> Flag | None:
        """Compares the last answer with the last question, normalized."""
        sample = item.sample
        if sample is None or sample.kind == "text":
            return None
        answer, asked = sample.answer, sample.question
        if len(answer) < 2 or abs(len(answer) - len(asked)) > 64:
            return None
        if item.text.isascii() and answer.lstrip()[:1].lower() != asked.lstrip()[:1].lower():
            return None  # most rows: a hundredth of what normalizing takes
        if normalize(answer) != normalize(asked):
            return None
        return self.flag("the answer is the prompt, word for word")
