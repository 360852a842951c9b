"""Several tasks in one dataset: a column names the task of each row, and each task has its prompt and its weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.clean import clean_line
from core.dataset.sample import Message, Sample
from core.units import count

_LONGEST_NAME = 200
_NAMED = 5


@dataclass(frozen=True, slots=True)
class RowTask:
    """What is done with the rows of one task.

    Attributes:
        name: the value of the column.
        weight: how often each of its samples is trained on in an epoch; 0.5 draws half of them.
        system: the system prompt that they get, in place of their own; "" leaves theirs.
        prefix: a line before their first question; "" for none.
    """

    name: str
    weight: float = 1.0
    system: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class RowTasks:
    """The tasks of a dataset.

    Attributes:
        column: names the task of each row.
        tasks: those that get something of their own; rows of others are trained on as they are.
    """

    column: str
    tasks: tuple[RowTask, ...] = ()

    def of(self, value: Mapping[str, Any] | None) -> str:
        """The task of a row; "" where it names none."""
        found = (value or {}).get(self.column)
        return "" if found is None or isinstance(found, dict | list) else str(found).strip()[:_LONGEST_NAME]

    def weight(self, name: str) -> float:
        """How often each sample of a task is trained on."""
        return next((task.weight for task in self.tasks if task.name == name), 1.0)

    def apply(self, sample: Sample, name: str) -> Sample:
        """The sample with the system prompt and the prefix of its task. Plain text gets the prefix alone."""
        task = next((task for task in self.tasks if task.name == name), None)
        if task is None or not (task.system or task.prefix):
            return sample
        line = f"{task.prefix}\n" if task.prefix else ""
        if sample.kind == "text":
            return replace(sample, text=f"{line}{sample.text}")
        turns = list(sample.messages)
        if line:
            at = next((place for place, turn in enumerate(turns) if turn.role == "user"), None)
            if at is not None:
                # What carries no loss in the turn is told by places in its text.
                moved = tuple((start + len(line), end + len(line)) for start, end in turns[at].untrained)
                turns[at] = replace(turns[at], content=f"{line}{turns[at].content}", untrained=moved)
        if task.system:
            rest = turns[1:] if turns and turns[0].role == "system" else turns
            turns = [Message("system", task.system), *rest]
        return replace(sample, messages=tuple(turns))

    def to_json(self) -> dict[str, Any]:
        """As JSON, for `from_json`."""
        rows = [[task.name, task.weight, task.system, task.prefix] for task in self.tasks]
        return {"column": self.column, "tasks": rows}


def from_json(value: Mapping[str, Any] | None) -> RowTasks | None:
    """The inverse of `RowTasks.to_json`."""
    if not value:
        return None
    tasks = tuple(
        RowTask(str(name), float(weight), str(one), str(other)) for name, weight, one, other in value["tasks"]
    )
    return RowTasks(str(value["column"]), tasks)


def remarks(tasks: RowTasks, found: Mapping[str, int]) -> list[str]:
    """Mismatches between the tasks in the recipe and those in the rows, one sentence each.

    Args:
        tasks: the tasks.
        found: task to number of rows; "" for rows that name none.
    """
    said = []
    known = {task.name for task in tasks.tasks}
    if absent := [task.name for task in tasks.tasks if not found.get(task.name)]:
        there = _names(name for name in found if name)
        said.append(f"No row has the task {_names(absent)} (data.tasks). The rows have: {there}.")
    if known and (others := {name: number for name, number in found.items() if name and name not in known}):
        rows = sum(others.values())
        verb = "has a task" if rows == 1 else "have tasks"
        said.append(f"{_rows(rows)} {verb} that data.tasks does not list; trained on unchanged: {_names(others)}.")
    if without := found.get("", 0):
        said.append(f"{_rows(without)} {'has' if without == 1 else 'have'} no task in the column {tasks.column}.")
    return said


def counts_words(tasks: RowTasks, found: Mapping[str, int]) -> str:
    """How many rows each task has: `summarize 120 (weight 2), classify 80`."""
    most = sorted((pair for pair in found.items() if pair[0]), key=lambda pair: (-pair[1], pair[0]))
    parts = []
    for name, number in most[:12]:
        weight = tasks.weight(name)
        parts.append(f"{clean_line(name, 40)} {count(number)}" + ("" if weight == 1 else f" (weight {weight:g})"))
    return ", ".join(parts) + (f" and {len(most) - 12} more" if len(most) > 12 else "")


def tally(tasks: RowTasks, values: Iterable[Mapping[str, Any] | None]) -> Counter[str]:
    """How many rows each task has."""
    return Counter(tasks.of(value) for value in values)


def _rows(number: int) -> str:
    return f"{count(number)} row{'s' * (number != 1)}"


def _names(names: Iterable[str]) -> str:
    shown: Sequence[str] = [clean_line(name, 40) for name in names]
    return ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")
