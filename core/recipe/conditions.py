"""When a recipe field applies: conditions on other fields, which form, rules and documentation can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.clean import clean_line

Get = Callable[[str], Any]
"""Gives the value of a field by its dotted path."""


class Condition:
    """Something that holds in a recipe or not; `a & b` and `a | b` combine two."""

    @property
    def words(self) -> str:
        """What must be so: `method is lora`; "" where nothing must."""
        raise NotImplementedError

    def why_not(self, get: Get) -> list[str]:
        """Why it does not hold, one reason each: `method is full`. Empty where it holds."""
        raise NotImplementedError

    def __and__(self, other: Condition) -> Condition:
        return _joined(Every, self, other)

    def __or__(self, other: Condition) -> Condition:
        return _joined(Either, self, other)


@dataclass(frozen=True, slots=True)
class Field(Condition):
    """A condition on the value of one field.

    Attributes:
        path: the field, dotted.
        wanted: what is said of it where it holds, `is lora`.
        otherwise: the same where it does not hold; "" for `is` and the value.
        test: whether a value will do.
    """

    path: str
    wanted: str
    otherwise: str
    test: Callable[[Any], bool]

    @property
    def words(self) -> str:
        """See `Condition`."""
        return f"{self.path} {self.wanted}"

    def why_not(self, get: Get) -> list[str]:
        """See `Condition`."""
        value = get(self.path)
        return [] if self.test(value) else [f"{self.path} {self.otherwise or f'is {clean_line(str(value), 40)}'}"]


@dataclass(frozen=True, slots=True)
class Every(Condition):
    """Each of several conditions."""

    parts: tuple[Condition, ...]

    @property
    def words(self) -> str:
        """See `Condition`."""
        return " and ".join(f"({part.words})" if isinstance(part, Either) else part.words for part in self.parts)

    def why_not(self, get: Get) -> list[str]:
        """See `Condition`."""
        return list(dict.fromkeys(reason for part in self.parts for reason in part.why_not(get)))


@dataclass(frozen=True, slots=True)
class Either(Condition):
    """At least one of several conditions."""

    parts: tuple[Condition, ...]

    @property
    def words(self) -> str:
        """See `Condition`."""
        return " or ".join(f"({part.words})" if isinstance(part, Every) else part.words for part in self.parts)

    def why_not(self, get: Get) -> list[str]:
        """See `Condition`."""
        reasons = [part.why_not(get) for part in self.parts]
        return list(dict.fromkeys(reason for each in reasons for reason in each)) if all(reasons) else []


ALWAYS: Condition = Every(())


def one_of(path: str, *values: str) -> Condition:
    """The field has one of these values."""
    return Field(path, f"is {' or '.join(values)}", "", lambda value: value in values)


def none_of(path: str, *values: str) -> Condition:
    """The field has none of these values."""
    return Field(path, f"is not {' or '.join(values)}", "", lambda value: value not in values)


def filled(path: str) -> Condition:
    """The text or list is not empty."""
    return Field(path, "is set", "is empty", bool)


def empty(path: str) -> Condition:
    """The text or list is empty."""
    return Field(path, "is empty", "is set", lambda value: not value)


def positive(path: str) -> Condition:
    """The number is more than 0."""
    return Field(path, "is greater than 0", "is 0", lambda value: value > 0)


def on(path: str) -> Condition:
    """The switch says yes."""
    return Field(path, "is yes", "is no", bool)


def _joined(kind: type[Every] | type[Either], *conditions: Condition) -> Condition:
    parts = tuple(part for each in conditions for part in (each.parts if isinstance(each, kind) else (each,)))
    return parts[0] if len(parts) == 1 else kind(parts)
