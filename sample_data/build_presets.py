"""Builds the examples of the presets: 20 rows each, small enough to read, shaped as the data of the use case.

`python -m sample_data.build_presets` writes them again, with the same bytes.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "presets"
ROWS = 20

Row = dict[str, Any]

_THINGS = (
    ("lamp", "a desk lamp", 39, "Oslo"),
    ("kettle", "an electric kettle", 52, "Turin"),
    ("stool", "a wooden stool", 75, "Ghent"),
    ("clock", "a wall clock", 28, "Basel"),
    ("tent", "a two-person tent", 189, "Bergen"),
)
_PEOPLE = ("Ada Brandt", "Ben Ortiz", "Chloe Marsh", "Dev Anand")


def chat(user: str, answer: str, system: str = "") -> Row:
    """A conversation of one question."""
    first = [{"role": "system", "content": system}] if system else []
    return {"messages": [*first, {"role": "user", "content": user}, {"role": "assistant", "content": answer}]}


def support() -> list[Row]:
    """Questions to a shop, with their answers."""
    asked = (
        ("Where is my order? It was {a}.", "Your {thing} left {city} today. It arrives within three days."),
        ("Can I return {a}?", "Yes, within 30 days. The label for your {thing} is in the parcel."),
        ("What does {a} cost?", "The {thing} costs {price} euros, shipping included."),
        ("My {thing} arrived broken.", "I am sorry. A new {thing} leaves {city} tomorrow, at no cost."),
    )
    return [
        chat(question.format(**facts), answer.format(**facts), "You are the desk of Marlow & Finch.")
        for facts, (question, answer) in product(_facts(), asked)
    ]


def style() -> list[Row]:
    """Notes in free form, answered in one fixed form."""
    asked = ("{who} wants {a} by Friday.", "Note: {who} sent {a} back, {price} euros.")
    asked += ("{who} asks whether {a} can be repaired.", "{who} paid {price} euros for {a}.")
    done = ("deliver", "refund", "repair", "file")
    return [
        chat(
            note.format(who=who, **facts),
            f"WHO   {who}\nWHAT  {facts['thing']}\nDO    {verb}\nTONE  calm",
        )
        for facts, (note, verb, who) in product(_facts(), zip(asked, done, _PEOPLE, strict=True))
    ]


def extraction() -> list[Row]:
    """Mails, and the fields in them as JSON; a field that is not there is null."""
    mails = (
        "Hi, {who} here. Please send {a} for {price} euros to {city}.",
        "Order: 1 x {thing}, {price} EUR. Regards, {who}",
        "{who} would like {a}. Ship it to {city}, please.",
        "We need {a} in {city}.",
    )
    has = ("who price city", "who price", "who city", "city")
    rows = []
    for facts, (mail, fields, who) in product(_facts(), zip(mails, has, _PEOPLE, strict=True)):
        found = {
            "item": facts["thing"],
            "buyer": who if "who" in fields else None,
            "price_eur": facts["price"] if "price" in fields else None,
            "city": facts["city"] if "city" in fields else None,
        }
        rows.append(chat(mail.format(who=who, **facts), json.dumps(found), "Extract item, buyer, price_eur, city."))
    return rows


def classification() -> list[Row]:
    """Messages with one of four labels."""
    asked = {
        "delivery": "When will {a} get to {city}?",
        "refund": "I want my {price} euros back for {a}.",
        "defect": "The {thing} does not work.",
        "praise": "Best {thing} I ever had, thanks!",
    }
    system = f"Answer with one word: {', '.join(asked)}."
    return [chat(text.format(**facts), label, system) for facts, (label, text) in product(_facts(), asked.items())]


def summaries() -> list[Row]:
    """Reports of a few sentences, each with its summary in one."""
    rows = []
    for facts, (number, who) in product(_facts(), enumerate(_PEOPLE)):
        sold, back = 40 + 7 * number + facts["price"], 2 + number
        report = (
            f"{who} looked after the {facts['thing']} this month. The warehouse in {facts['city']} shipped {sold} of "
            f"them at {facts['price']} euros each. {back} came back, most of them because the box was damaged. The "
            f"supplier has promised stronger boxes from the first of next month on. Nothing else was reported."
        )
        text = (
            f"{sold} units of the {facts['thing']} shipped from {facts['city']}, {back} returned because of weak boxes."
        )
        rows.append(chat(f"Summarize in one sentence:\n\n{report}", text))
    return rows


def code() -> list[Row]:
    """Tasks with calls of a library that no base model knows."""
    tasks = (
        ("List all orders of {a}.", "orders = finch.orders.where(item={thing!r})\nreturn orders.all()"),
        ("How many of {a} are in {city}?", "return finch.stock.at({city!r}).count({thing!r})"),
        ("Set the price of {a} to {price} euros.", "with finch.edit() as edit:\n    edit.price({thing!r}, {price})"),
        ("Refund {a}.", "with finch.edit() as edit:\n    edit.refund({thing!r}, reason='customer')"),
    )
    return [
        chat(task.format(**facts), "```python\n" + answer.format(**facts) + "\n```", "Use the package finch.")
        for facts, (task, answer) in product(_facts(), tasks)
    ]


def retrieval() -> list[Row]:
    """Questions with three passages, of which one answers; where none does, the answer says so."""
    facts, rows = _facts(), []
    for place, one in enumerate(facts):
        others = [facts[(place + step) % len(facts)] for step in (1, 2)]
        for number, (asked, answer) in enumerate(
            (
                ("Where is the {thing} stored?", "In {city} [{n}]."),
                ("What does the {thing} cost?", "{price} euros [{n}]."),
                ("Who makes the {thing}?", "The passages do not say."),
                ("Is the {thing} stored in {city}?", "Yes [{n}]."),
            )
        ):
            at = (place + number) % 3
            shown = [*others[:at], one, *others[at:]]
            passages = "\n".join(
                f"[{n}] The {each['thing']} is stored in {each['city']} and costs {each['price']} euros."
                for n, each in enumerate(shown, 1)
            )
            system = "Answer from the passages and name the one you used. If none answers, say so."
            rows.append(
                chat(f"{passages}\n\n{asked.format(**one)}", answer.format(n=shown.index(one) + 1, **one), system)
            )
    return rows


def preferences() -> list[Row]:
    """Pairs: the chosen answer is short and does something, the rejected one only talks."""
    return [
        {
            "prompt": [row["messages"][1]],
            "chosen": [row["messages"][2]],
            "rejected": [
                {"role": "assistant", "content": f"Thank you for asking! {row['messages'][1]['content']} Hm."}
            ],
        }
        for row in support()
    ]


def text() -> list[Row]:
    """Pages of a handbook, as plain text."""
    return [
        {
            "text": f"{facts['thing'].capitalize()}, chapter {number + 1}. Each {facts['thing']} comes from the "
            f"workshop in {facts['city']}. {who} checks it by hand before it is packed. The list price is "
            f"{facts['price']} euros. "
            f"A {facts['thing']} that fails the check goes back to the bench and is listed in the book of repairs."
        }
        for facts, (number, who) in product(_facts(), enumerate(_PEOPLE))
    ]


def sums() -> list[Row]:
    """Word problems, each with an answer in the form that the prompt wants."""
    rows = []
    for facts, number in product(_facts(), (2, 3, 4, 5)):
        asked = f"One {facts['thing']} costs {facts['price']} euros. What do {number} of them cost?"
        rows.append(
            {
                "prompt": [{"role": "user", "content": f"{asked} Think step by step; end with: Answer: <number>"}],
                "answer": f"{number} x {facts['price']} = {facts['price'] * number}. Answer: {facts['price'] * number}",
            }
        )
    return rows


def general() -> list[Row]:
    """Everyday questions that have nothing to do with any of it: what a model should not forget."""
    asked = {
        "Name {n} colors.": ("red", "blue", "green", "yellow", "white"),
        "Name {n} days of the week.": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "Name {n} planets.": ("Mars", "Venus", "Earth", "Saturn", "Jupiter"),
        "Name {n} fruits.": ("apple", "pear", "plum", "fig", "cherry"),
    }
    return [chat(ask.format(n=n), ", ".join(names[:n])) for n, (ask, names) in product(range(1, 6), asked.items())]


def _facts() -> list[dict[str, Any]]:
    return [{"thing": thing, "a": a, "price": price, "city": city} for thing, a, price, city in _THINGS]


EXAMPLES = {
    "support": support,
    "style": style,
    "extraction": extraction,
    "classification": classification,
    "summaries": summaries,
    "code": code,
    "retrieval": retrieval,
    "preferences": preferences,
    "text": text,
    "sums": sums,
    "general": general,
}
"""Every file by its name."""


def lines(name: str) -> str:
    """The content of a file."""
    rows = EXAMPLES[name]()
    assert len(rows) == ROWS, f"{name} has {len(rows)} rows"
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in EXAMPLES:
        (FOLDER / f"{each}.jsonl").write_text(lines(each), encoding="utf-8")
