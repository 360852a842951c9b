"""What the process of the reward `json_schema` runs: see `core.engine.rewards.json_schema`."""

from __future__ import annotations

import json
import re
from typing import Any

_FENCED = re.compile(r"\A```[a-zA-Z]*\n(.*)\n```\Z", re.DOTALL)
SCHEMA: Any = True


def parsed(schema: str) -> Any:
    """The schema, checked against its own metaschema."""
    import jsonschema  # type: ignore[import-untyped]

    found = json.loads(schema)
    kind = jsonschema.validators.validator_for(found, default=jsonschema.Draft202012Validator)
    kind.check_schema(found)
    return kind(found)


def reward(completions: list[Any], **_: Any) -> list[float]:
    """1 for each completion that is JSON and fits."""
    return [fits(each if isinstance(each, str) else each[0]["content"]) for each in completions]


def fits(text: str) -> float:
    """1 if a text is JSON and fits the schema."""
    text = text.strip()
    if found := _FENCED.match(text):
        text = found[1]
    try:
        return float(SCHEMA.is_valid(json.loads(text)))
    except (ValueError, RecursionError):
        return 0.0
