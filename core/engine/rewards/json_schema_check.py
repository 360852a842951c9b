"""What the process of the reward `json_schema` runs: see `core.engine.rewards.json_schema`.

A validator of JSON Schema 2020-12 for what schemas of answers use. A keyword that it does not know is refused when the
schema is read, so that none is ignored in silence; `format` is an annotation, as the standard has it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

_FENCED = re.compile(r"\A```[a-zA-Z]*\n(.*)\n```\Z", re.DOTALL)
_NOTES = frozenset((
    "$schema", "$id", "$comment", "title", "description", "default", "examples", "format", "deprecated", "readOnly",
    "writeOnly", "$defs", "definitions", "minContains", "maxContains", "then", "else",
))  # fmt: skip
"""Keywords that say nothing by themselves."""
SCHEMA: Any = True


def parsed(text: str) -> Any:
    """The schema, once every keyword of it is known.

    Raises:
        ValueError: it is no schema, or has a keyword that is not supported.
    """
    global SCHEMA
    schema = SCHEMA = json.loads(text)
    _check(schema, "#")
    return schema


def _check(schema: Any, where: str) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{where} is not a JSON schema")
    for name, value in schema.items():
        if name not in _NOTES and name not in _RULES:
            raise ValueError(f"the keyword {name} at {where} is not supported")
        if name == "type" and not set(value if isinstance(value, list) else [value]) <= set(_TYPES):
            raise ValueError(f"{value!r} at {where} is not a type")
        if name == "pattern":
            re.compile(value)
        if name == "$ref":
            _resolved(value)
        for place, inner in _inner(name, value, where):
            _check(inner, place)


def _inner(name: str, value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """The schemas inside a keyword."""
    here = f"{where}/{name}"
    if name in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
        if not isinstance(value, dict):
            raise ValueError(f"{here} is not an object")
        yield from ((f"{here}/{key}", each) for key, each in value.items())
    elif name in ("allOf", "anyOf", "oneOf", "prefixItems"):
        if not isinstance(value, list):
            raise ValueError(f"{here} is not a list")
        yield from ((f"{here}/{number}", each) for number, each in enumerate(value))
    elif name in ("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"):
        yield here, value


def _resolved(reference: str) -> Any:
    """What a reference inside the schema means."""
    if not reference.startswith("#"):
        raise ValueError(f"the reference {reference} points outside the file")
    found = SCHEMA
    for part in reference[1:].strip("/").split("/") if reference[1:].strip("/") else ():
        part = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"the reference {reference} leads nowhere") from None
    return found


def reward(completions: list[Any], **_: Any) -> list[float]:
    """1 for each completion that is JSON and fits."""
    return [scored(each if isinstance(each, str) else each[0]["content"]) for each in completions]


def scored(text: str) -> float:
    """1 if a text is JSON and fits the schema."""
    text = text.strip()
    if found := _FENCED.match(text):
        text = found[1]
    try:
        return float(fits(json.loads(text, parse_constant=_refused), SCHEMA))
    except (ValueError, RecursionError):
        return 0.0


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def fits(value: Any, schema: Any) -> bool:
    """Whether a value fits a schema."""
    if isinstance(schema, bool):
        return schema
    return all(_RULES[name](value, wanted, schema) for name, wanted in schema.items() if name in _RULES)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _number(value) and float(value).is_integer(),
    "number": _number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON has it: 1 is 1.0, and true is no 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _type(value: Any, wanted: Any, _: Any) -> bool:
    return any(_TYPES[name](value) for name in (wanted if isinstance(wanted, list) else [wanted]))


def _additional(value: Any, wanted: Any, schema: Any) -> bool:
    if not isinstance(value, dict):
        return True
    patterns = list(schema.get("patternProperties", ()))
    rest = [key for key in value if key not in schema.get("properties", ())]
    return all(fits(value[key], wanted) for key in rest if not any(re.search(each, key) for each in patterns))


def _pattern_properties(value: Any, wanted: Any, _: Any) -> bool:
    if not isinstance(value, dict):
        return True
    return all(fits(each, rule) for name, rule in wanted.items() for key, each in value.items() if re.search(name, key))


def _multiple(value: Any, wanted: Any, _: Any) -> bool:
    return not _number(value) or math.isclose(value / wanted, round(value / wanted), rel_tol=0, abs_tol=1e-9)


def _contains(value: Any, wanted: Any, schema: Any) -> bool:
    if not isinstance(value, list):
        return True
    count = sum(fits(each, wanted) for each in value)
    return schema.get("minContains", 1) <= count <= schema.get("maxContains", len(value))


def _unique(value: Any, wanted: Any, _: Any) -> bool:
    if not (wanted and isinstance(value, list)):
        return True
    return not any(_same(one, other) for place, one in enumerate(value) for other in value[:place])


def _if(value: Any, wanted: Any, schema: Any) -> bool:
    return fits(value, schema.get("then" if fits(value, wanted) else "else", True))


def _of(kind: type | tuple[type, ...], test: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Any], bool]:
    """A rule about values of one type; others fit."""

    def rule(value: Any, wanted: Any, _: Any) -> bool:
        return not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool) or test(value, wanted)

    return rule


_RULES: dict[str, Callable[[Any, Any, Any], bool]] = {
    "$ref": lambda value, wanted, _: fits(value, _resolved(wanted)),
    "type": _type,
    "enum": lambda value, wanted, _: any(_same(value, each) for each in wanted),
    "const": lambda value, wanted, _: _same(value, wanted),
    "allOf": lambda value, wanted, _: all(fits(value, each) for each in wanted),
    "anyOf": lambda value, wanted, _: any(fits(value, each) for each in wanted),
    "oneOf": lambda value, wanted, _: sum(fits(value, each) for each in wanted) == 1,
    "not": lambda value, wanted, _: not fits(value, wanted),
    "if": _if,
    "properties": _of(
        dict, lambda value, wanted: all(fits(value[key], rule) for key, rule in wanted.items() if key in value)
    ),
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _of(dict, lambda value, wanted: all(fits(key, wanted) for key in value)),
    "required": _of(dict, lambda value, wanted: all(key in value for key in wanted)),
    "dependentRequired": _of(
        dict, lambda value, wanted: all(key not in value or set(more) <= set(value) for key, more in wanted.items())
    ),
    "dependentSchemas": _of(
        dict, lambda value, wanted: all(key not in value or fits(value, rule) for key, rule in wanted.items())
    ),
    "minProperties": _of(dict, lambda value, wanted: len(value) >= wanted),
    "maxProperties": _of(dict, lambda value, wanted: len(value) <= wanted),
    "items": lambda value, wanted, schema: (
        not isinstance(value, list) or all(fits(each, wanted) for each in value[len(schema.get("prefixItems", ())) :])
    ),
    "prefixItems": _of(list, lambda value, wanted: all(map(fits, value, wanted))),
    "contains": _contains,
    "minItems": _of(list, lambda value, wanted: len(value) >= wanted),
    "maxItems": _of(list, lambda value, wanted: len(value) <= wanted),
    "uniqueItems": _unique,
    "minLength": _of(str, lambda value, wanted: len(value) >= wanted),
    "maxLength": _of(str, lambda value, wanted: len(value) <= wanted),
    "pattern": _of(str, lambda value, wanted: re.search(wanted, value) is not None),
    "minimum": _of((int, float), lambda value, wanted: value >= wanted),
    "maximum": _of((int, float), lambda value, wanted: value <= wanted),
    "exclusiveMinimum": _of((int, float), lambda value, wanted: value > wanted),
    "exclusiveMaximum": _of((int, float), lambda value, wanted: value < wanted),
    "multipleOf": _multiple,
}
