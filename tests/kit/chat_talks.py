"""Talks, tools and originals for tests of chat templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "  Hi, “you”?\n"},
    {"role": "assistant", "content": "Yes.\n\n- one\n"},
    {"role": "user", "content": "Again 日本"},
    {"role": "assistant", "content": "naïve"},
    {"role": "user", "content": "And {{ x }}?"},
    {"role": "assistant", "content": "done 😀"},
]
"""Three questions and their answers."""

SYSTEM: dict[str, Any] = {"role": "system", "content": " Be brief.\n"}

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds.",
            "parameters": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
        },
    }
]

_CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "add", "arguments": {"x": "1"}}}
CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "2 + 2?"},
    {"role": "assistant", "content": "", "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "abcdefghi", "content": "4"},
    {"role": "assistant", "content": "It is 4."},
    {"role": "user", "content": "Sure?"},
]

_THOUGHT = [
    TURNS[0],
    {"role": "assistant", "content": "Let me see.", "reasoning": "hm", "tool_calls": [_CALL]},
    CALLED[2],
    {"role": "assistant", "content": "It is 4.", "reasoning": "easy"},
]

ALL_TALKS: list[list[dict[str, Any]]] = [
    *(TURNS[:count] for count in range(1, 7)),
    *([SYSTEM, *TURNS[:count]] for count in range(1, 7)),
    *(CALLED[:count] for count in range(1, 6)),
    [SYSTEM, *CALLED],
    _THOUGHT,
    [TURNS[0], {**TURNS[1], "reasoning": "think"}],
]

IN_TRL = {
    "Llama 3.1": "llama3_1",
    "Llama 3.2": "llama3_2",
    "Gemma 4": "gemma4_v5",
    "Gemma 4, released": "gemma4_v2",
    "Gemma 4, revision 2": "gemma4_v3",
    "Gemma 4, revision 3": "gemma4",
    "Gemma 4, revision 4": "gemma4_v4",
}
"""Originals without marks that TRL recognizes by the letter and cannot train with."""

MARKED_BY_ITSELF = {"LFM2.5": "lfm2_2_5", "LFM2.5, newer": "lfm2_2_5_v2"}
"""Originals that mark their answers."""

_INST, _AFTER = "'[INST] '", "' [/INST]'"
_ANY_CALLS = (
    "{{- '[TOOL_CALLS] [' }}{%- for call in message.tool_calls %}{{- (call.function | tojson)[:-1] }}"
    "{{- ', \"id\": \"' + call.id + '\"}' }}{%- if not loop.last %}{{- ', ' }}{%- else %}{{- ']' + eos_token }}"
    "{%- endif %}{%- endfor %}"
)
_ANY_RESULTS = "{{- '[TOOL_RESULTS] {\"content\": ' + message.content | string + '}[/TOOL_RESULTS]' }}"
MISTRAL = {
    "Mistral v1": (
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('take turns') }}{% endif %}{% if message['role'] == 'user' %}"
        f"{{{{ {_INST} + message['content'] + {_AFTER} }}}}"
        "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% endif %}{% endfor %}"
    ),
    "Mistral v3": (
        "{%- if messages[0]['role'] == 'system' %}\n    {%- set system = messages[0]['content'] %}\n"
        "    {%- set rest = messages[1:] %}\n{%- else %}\n    {%- set rest = messages %}\n{%- endif %}\n"
        "{{- bos_token }}\n{%- for message in rest %}\n    {%- if message['role'] == 'user' %}\n"
        "        {%- if loop.last and system is defined %}\n"
        "            {{- '[INST] ' + system + '\\n\\n' + message['content'] + '[/INST]' }}\n"
        "        {%- else %}\n            {{- '[INST] ' + message['content'] + '[/INST]' }}\n        {%- endif %}\n"
        "    {%- elif message.tool_calls is defined and message.tool_calls is not none %}\n        "
        f"{_ANY_CALLS}\n    {{%- elif message['role'] == 'assistant' %}}\n"
        "        {{- ' ' + message['content']|trim + eos_token}}\n    {%- elif message['role'] == 'tool' %}\n        "
        f"{_ANY_RESULTS}\n    {{%- endif %}}\n{{%- endfor %}}\n"
    ),
    "Mistral v7": (
        "{{- bos_token }}\n{%- if messages[0]['role'] == 'system' %}\n"
        "    {{- '[SYSTEM_PROMPT]' + messages[0]['content'] + '[/SYSTEM_PROMPT]' }}\n"
        "    {%- set rest = messages[1:] %}\n"
        "{%- else %}\n    {%- set rest = messages %}\n{%- endif %}\n{%- for message in rest %}\n"
        "    {%- if message['role'] == 'user' %}\n        {{- '[INST]' + message['content'] + '[/INST]' }}\n"
        "    {%- elif message['role'] == 'tool_calls' or message.tool_calls is defined %}\n        "
        f"{_ANY_CALLS}\n    {{%- elif message['role'] == 'assistant' %}}\n"
        "        {%- if message['content'] is string %}\n            {{- message['content'] + eos_token }}\n"
        "        {%- else %}\n            {{- message['content'][0]['text'] + eos_token }}\n        {%- endif %}\n"
        "    {%- elif message['role'] == 'tool' %}\n        "
        f"{_ANY_RESULTS}\n    {{%- endif %}}\n{{%- endfor %}}\n"
    ),
}
"""Templates of Mistral's three shapes, written here: how turns, calls and a system prompt are laid out."""

ENDS = {"Llama": "<|eot_id|>", "Gemma": "<turn|>", "LFM2.5": "<|im_end|>", "Mistra": "</s>", "SmolLM": "<|im_end|>"}
"""The token that ends an answer, by the beginning of a family's name."""


def end_of(family: str) -> str:
    """The token that ends an answer."""
    return next(end for name, end in ENDS.items() if family.startswith(name))


def of_trl(name: str) -> str:
    """A template as TRL ships it; skips the test where TRL is not installed."""
    trl = pytest.importorskip("trl", reason="the train extra is not installed")
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def originals() -> dict[str, str]:
    """Every original without marks, by its family."""
    return {**{family: of_trl(name) for family, name in IN_TRL.items()}, **MISTRAL}
