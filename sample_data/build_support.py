"""Builds the support-desk data: conversations from `topics/`, with faults planted at known places.

Everything follows from the texts in `topics/` and one seed, so building again gives the same bytes.
"""

from __future__ import annotations

import json
import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sample_data.faults import EVAL, TRAIN, plant
from sample_data.style import dress

TOPICS = Path(__file__).resolve().parent / "topics"
SYSTEM = "You are the support desk of Pennywren."
SEED = 20261121

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Topic:
    """What customers ask about one topic, and the answers; every answer fits every question."""

    name: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]


def read_topics(folder: Path = TOPICS) -> list[Topic]:
    """Every topic, in the order of files and lines."""
    return [
        Topic(entry["name"], tuple(entry["questions"]), tuple(entry["answers"]))
        for path in sorted(folder.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8")).get("topic", ())
    ]


def conversation(*turns: str) -> Row:
    """A row in the messages format: the system prompt, then user and assistant in turn.

    Args:
        turns: question, body of the answer, question, body of the answer ...
    """
    messages = [{"role": "system", "content": SYSTEM}]
    for n, text in enumerate(turns):
        role, content = ("assistant", dress(text)) if n % 2 else ("user", text)
        messages.append({"role": role, "content": content})
    return {"messages": messages}


def clean_rows() -> tuple[list[Row], list[Row]]:
    """(training rows, eval rows) without faults: the last question of each topic is held out."""
    topics = read_topics()
    train: list[Row] = []
    held_out: list[Row] = []
    for topic in topics:
        for n, question in enumerate(topic.questions):
            rows = held_out if n == len(topic.questions) - 1 else train
            rows.append(conversation(question, topic.answers[n % len(topic.answers)]))
    by_name = {topic.name: topic for topic in topics}
    for entry in tomllib.loads((TOPICS / "follow_ups.toml").read_text("utf-8"))["follow_up"]:
        topic = by_name[entry["topic"]]
        train.append(conversation(topic.questions[0], topic.answers[1], entry["question"], entry["answer"]))
    shuffle = random.Random(SEED)
    shuffle.shuffle(train)
    shuffle.shuffle(held_out)
    return train, held_out


def build(folder: Path) -> None:
    """Writes `support_train.jsonl`, `support_eval.jsonl` and `FAULTS.json`."""
    train, held_out = clean_rows()
    train_lines, report = plant(train, held_out)
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in ((TRAIN, train_lines), (EVAL, [json.dumps(row) for row in held_out])):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "FAULTS.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
