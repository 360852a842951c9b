"""Support English for the tiny base model: short questions and answers of desks that have nothing to do with ours.

Made from the lists in `other_desks.toml`, for a model to read and not for people. An answer has one or two sentences
and neither greeting nor sign-off, so the house style of the sample data is nowhere in it.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

_SENTENCES = (1, 2, 2)  # how long an answer is, drawn evenly


def other_desks(count: int, seed: int) -> list[list[dict[str, str]]]:
    """Conversations of one question and one answer about the same thing."""
    material = tomllib.loads(Path(__file__).with_name("other_desks.toml").read_text("utf-8"))
    kinds = [kind for kind in material["kind"] for _ in range(kind["share"])]
    choose = random.Random(seed)
    chats = []
    for _ in range(count):
        kind = choose.choice(kinds)
        words = _words(choose, material)
        more = choose.sample(material["more"], choose.choice(_SENTENCES) - 1)
        system = choose.choice(material["systems"])
        turns = [
            {"role": "user", "content": choose.choice(kind["questions"]).format(**words)},
            {"role": "assistant", "content": " ".join([choose.choice(kind["answers"]), *more]).format(**words)},
        ]
        chats.append([{"role": "system", "content": system}, *turns] if system else turns)
    return chats


def _words(choose: random.Random, material: dict[str, Any]) -> dict[str, object]:
    """One word for each blank; two different ones where a sentence may hold both."""
    words: dict[str, object] = {}
    for one, other, listed in (
        ("thing", "other", "things"),
        ("verb", "verb2", "verbs"),
        ("menu", "menu2", "menus"),
        ("state", "state2", "states"),
    ):
        words[one], words[other] = choose.sample(material[listed], 2)
    for blank, listed in (("span", "spans"), ("period", "periods"), ("when", "when"), ("button", "buttons")):
        words[blank] = choose.choice(material[listed])
    words["n"] = choose.choice(material["numbers"])
    return words
