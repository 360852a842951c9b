"""Rows that were made to do harm, as the bytes of a line each; every reader and every view is tried on all."""

from __future__ import annotations

import json

HOSTILE = "".join(
    [
        "\x1b[2J\x1b[5;35;45m\x1b]52;c;Y2FuYXJ5\x07\x1b]0;TITLE\x07\x1b]8;;https://evil.example\x1b\\LINK",
        "\x1bc\x1bPq#0\x1b\\\x9b31m\x9d52;c;Y2FuYXJ5\x9c\x90q\x9c\x00\x07\x08\x0b\x0c\x0e\x0f\x7f",
        "\u202eevil\u202c\u2066x\u2069\u061c\u200f\u2028\u2029\U000e0041\ufeff\ufff9",
        "[@click=app.quit]QUIT[/] [bold]B [/nothing] [INST] hi [/INST] {{x}} %s %n ../../../etc/passwd",
    ]
)


def _row(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def _turns(*turns: object) -> bytes:
    return _row(messages=list(turns))


_CALL = {"type": "function", "function": {"name": HOSTILE, "arguments": {HOSTILE: [HOSTILE, None, {}]}}}

ATTACKS: dict[str, bytes] = {
    "controls": _turns({"role": "user", "content": HOSTILE}, {"role": "assistant", "content": HOSTILE}),
    "controls as keys": _row(**{HOSTILE: HOSTILE, "prompt": HOSTILE, "completion": HOSTILE}),
    "controls as role": _turns({"role": HOSTILE, "content": "x"}),
    "calls and tools": _row(
        messages=[
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "reasoning_content": HOSTILE, "tool_calls": [_CALL]},
            {"role": "tool", "name": HOSTILE, "content": HOSTILE},
        ],
        tools=[{"type": "function", "function": {"name": HOSTILE, "description": HOSTILE, "parameters": HOSTILE}}],
    ),
    "lone surrogates": b'{"prompt": "\\ud800 \\udfff", "completion": "\\udc80"}',
    "raw bytes": b'{"prompt": "\xff\xfe\x00", "completion": "\x80"}',
    "nested lists": b'{"prompt": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "nested objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "nested in a string": _row(messages="[" * 40_000 + "]" * 40_000),
    "long number": b'{"prompt": ' + b"9" * 40_000 + b', "completion": 1e999999}',
    "negative zero and friends": b'{"prompt": -0.0, "completion": [NaN, Infinity, -Infinity, 1e-400]}',
    "many keys": json.dumps({f"k{number}": number for number in range(1_500)}).encode(),
    "one key many times": b"{" + b'"prompt": "a", ' * 5_000 + b'"completion": "b"}',
    "many turns": _turns(*[{"role": "user", "content": "x"}] * 1_500),
    "many empty turns": _turns(*[{}] * 800),
    "one long word": _row(prompt="a" * 50_000, completion="b"),
    "many lines": _row(prompt="\n" * 50_000, completion="b"),
    "combining marks": _row(prompt="e" + "\u0301" * 15_000, completion="\u200d".join("👩" * 20_000)),
    "backslashes": _row(prompt="\\" * 60_000, completion='"' * 40_000),
    "repeats": _row(prompt="ab" * 50_000, completion="ab" * 50_000),
    "almost an address": _row(prompt="a." * 40_000 + "@", completion="0" * 50_000),
    "almost a placeholder": _row(prompt="{" * 50_000, completion="<" * 50_000),
    "almost markdown": _row(prompt="`" * 40_000 + "\n" + "```\n" * 20_000, completion="<think>" * 20_000),
    "path as file": _row(prompt="../../../../tmp/x", completion="/etc/passwd", file="../x", id="../../x"),
    "prototype": b'{"__proto__": {"x": 1}, "__class__": "x", "constructor": null, "prompt": "a", "completion": "b"}',
    "wrong types": _row(messages={"role": "user"}, tools=3, chosen=[], rejected={}, label="maybe", text=["x"]),
    "nulls": _row(messages=None, prompt=None, completion=None, chosen=None, rejected=None, label=None, text=None),
    "unclosed": b'{"messages": [{"role": "user", "content": "' + b"x" * 40_000,
    "only brackets": b"}" * 40_000,
    "almost a list": _row(messages="[INST] hi [/INST]", prompt="[1, 2", completion="[{"),
    "nothing": b"\x00" * 1_000,
}
