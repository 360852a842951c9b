"""Marks around the answers of known chat templates that have none: the model's own, and nothing else changed.

A template that is known to the letter is trusted; one that only has the same places is marked as well, and then each
sample is compared with what the unmarked template renders of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

_OPEN, _CLOSE = "{%- generation -%}", "{%- endgeneration -%}"
_TAG = re.compile(r"\{%-?\s*(if|elif|else|endif|for|endfor|set|endset|macro|endmacro)\b(.*?)-?%\}", re.S)


@dataclass(frozen=True, slots=True)
class MarkedTemplate:
    """A model's own template with marks.

    Attributes:
        text: the template.
        family: whose it is, for people.
        exact: whether the original is known to the letter.
    """

    text: str
    family: str
    exact: bool


def _once(text: str, before: str, after: str) -> str:
    """The text with its one occurrence of `before` replaced.

    Raises:
        LookupError: there is none, or there are several.
    """
    if text.count(before) != 1:
        raise LookupError(before)
    return text.replace(before, after)


def _last(text: str, before: str, after: str) -> str:
    head, found, tail = text.rpartition(before)
    if not found:
        raise LookupError(before)
    return head + after + tail


def _llama3(text: str) -> str:
    """Llama 3.1 to 3.3: one line for all roles, and calls in a branch that ends its turn by itself."""
    header, end = "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'", "'<|eot_id|>'"
    content = f"message['content'] | trim + {end}"
    answer = f"{{{{- {header}+ {content} }}}}"
    text = _once(
        text,
        answer,
        f"{{{{- {header} }}}}{{%- if message['role'] == 'assistant' %}}{{%- generation %}}{{{{- {content} }}}}"
        f"{{%- endgeneration %}}{{%- else %}}{{{{- {content} }}}}{{%- endif %}}",
    )
    own_header = "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}"
    if text.count(own_header) not in (1, 2):
        raise LookupError(own_header)
    text = text.replace(own_header, "")
    called = "{%- set tool_call = message.tool_calls[0].function %}"
    text = _once(text, called, f"{called}{own_header}{{%- generation %}}")
    results = '{%- elif message.role == "tool" or message.role == "ipython" %}'
    return _once(text, results, f"{{%- endgeneration %}}{results}")


def _gemma4(text: str) -> str:
    """Gemma 4: reasoning, calls, and an answer with its end; what tools answer in the same turn is not the model's."""
    thought = "{{- '<|channel>thought\\n' + thinking_text + '\\n<channel|>' -}}"
    if "thinking_text" in text:
        text = _once(text, thought, f"{_OPEN}{thought}{_CLOSE}")
    calls = re.compile(r"\{%- for tool_call in message(\['tool_calls'\]|\.get\('tool_calls'\)) -%\}")
    if len(calls.findall(text)) != 1:
        raise LookupError(calls.pattern)
    text = calls.sub(lambda found: _OPEN + found[0], text)
    called = re.compile(r"\{\{- '\}<tool_call\|>' -\}\}\s*\{%- endfor -%\}")
    if len(called.findall(text)) != 1:
        raise LookupError(called.pattern)
    text = called.sub(lambda found: found[0] + _CLOSE, text)
    captured = "{{- captured_content -}}"
    if captured in text:
        text = _once(text, captured, "")
    else:  # the first revisions write the content where it stands
        start = "{%- if message['content'] is string -%}\n                {%- if role == 'model' -%}"
        text = _once(text, start, f"{{%- set captured_content -%}}{start}")
        ends = ("{%- if not (message['tool_responses'] and not", "{%- if ns.prev_message_type == 'tool_call' and not")
        end = next((each for each in ends if each in text), ends[0])
        text = _once(text, end, f"{{%- endset -%}}{end}")
    content, waits = "captured_content", "{{- '<|tool_response>' -}}"
    if "not ns_tr_out.flag -%}" in text:
        text = _last(text, waits, f"{_OPEN}{{{{- {content} + '<|tool_response>' -}}}}{_CLOSE}")
    goes_on = "{%- elif continues_into_next -%}"
    if goes_on in text:
        text = _once(text, goes_on, f"{goes_on}{_OPEN}{{{{- {content} -}}}}{_CLOSE}")
    return _last(
        text,
        "{{- '<turn|>\\n' -}}",
        f"{{%- if role == 'model' -%}}{_OPEN}{{{{- {content} + '<turn|>' -}}}}{_CLOSE}{{{{- '\\n' -}}}}"
        f"{{%- else -%}}{{{{- {content} + '<turn|>\\n' -}}}}{{%- endif -%}}",
    )


def _mistral(text: str) -> str:
    """Mistral and Mixtral Instruct: a branch for answers, and in later revisions one for calls before it."""
    if "[INST]" not in text:
        raise LookupError("[INST]")
    text = _wrapped(text, r"message\[.role.\] == .assistant.$")
    calls = r"(message\[.role.\] == .tool_calls. or )?message\.tool_calls is defined"
    return _wrapped(text, calls) if "[TOOL_CALLS]" in text else text


def _wrapped(text: str, condition: str) -> str:
    """The text with marks around the one branch with a condition.

    Raises:
        LookupError: there is none, or there are several.
    """
    wanted = re.compile(condition)
    tags = [(found, found[2].strip()) for found in _TAG.finditer(text)]
    places = [
        place
        for place, (tag, said) in enumerate(tags)
        if tag[1] in ("if", "elif") and wanted.match(said) and _writes(text, tags, place)
    ]
    if len(places) != 1:
        raise LookupError(condition)
    start, end = tags[places[0]][0], tags[_sibling(tags, places[0])][0]
    close = "{%- endgeneration %}" if end[0].startswith("{%-") else "{% endgeneration %}"
    inner = text[start.end() : end.start()]
    return f"{text[: start.end()]}{{% generation %}}{inner}{close}{text[end.start() :]}"


def _sibling(tags: list[tuple[re.Match[str], str]], place: int) -> int:
    """The tag that ends the branch which one begins."""
    depth = 0
    for at in range(place + 1, len(tags)):
        kind = tags[at][0][1]
        if not depth and kind in ("elif", "else", "endif"):
            return at
        depth += (kind == "if") - (kind == "endif")
    raise LookupError("endif")


def _writes(text: str, tags: list[tuple[re.Match[str], str]], place: int) -> bool:
    """Whether a branch renders something with the end token: another may only check the order of roles."""
    return "eos_token" in text[tags[place][0].end() : tags[_sibling(tags, place)][0].start()]


_FAMILIES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("Llama 3.1", _llama3),
    ("Gemma 4", _gemma4),
    ("Mistral", _mistral),
)

KNOWN: frozenset[str] = frozenset(
    {
        "93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7",  # Llama 3.1
        "d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f",  # Llama 3.2
        "33204f1acb5bd0002713e16a593847f24ceeafe711ed88bda2a352dc996a3373",  # Gemma 4, its five revisions
        "55572b8d3c8342044e25874c73fe5234b661fa0a57a57f6ef75b58e03d7d959a",
        "781d10940fbc44be40064b5d43a056fc486c84ceaa55538226368b57314132bf",
        "2f1b4d75d067bae3fe44e676721c7f077d243bc007156cb9c2f8b5836613d082",
        "603a42db292c25278e9b23d94c7abbe77453f13e26a053c43c5c2f900b4136f7",
    }
)
"""SHA-256 of originals, normalized, whose marked form is proven in the tests to render the same."""


def normalized(template: str) -> str:
    """A template without what an editor or a download changes: line endings, and space around the whole."""
    return template.replace("\r\n", "\n").strip()


def digest_of(template: str) -> str:
    """The SHA-256 of a template, normalized."""
    return hashlib.sha256(normalized(template).encode()).hexdigest()


@lru_cache(maxsize=32)
def marked(template: str) -> MarkedTemplate | None:
    """A template of a known family with marks around its answers; None for any other."""
    for family, mark in _FAMILIES:
        try:
            return MarkedTemplate(mark(template), family, digest_of(template) in KNOWN)
        except LookupError:
            continue
    return None
