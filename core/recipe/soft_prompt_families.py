"""Model types with which vectors before the prompt train and answer, by method. Measured, not deduced.

The list, `soft_prompt_families.json`, is made by `python -m tests.kit.soft_prompts`: it builds each family small, makes
a step and asks for an answer with the peft and transformers that are installed. Some of what it leaves out may only
fail at that size; it is refused all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("soft_prompt_families.json")


@cache
def working() -> Mapping[str, frozenset[str]]:
    """Model types by the value of `method`."""
    found: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return {kind: frozenset(names) for kind, names in found.items()}
