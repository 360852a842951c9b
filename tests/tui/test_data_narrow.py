"""Lists that narrow each other: what is shown is what all of them hold, each can be taken away again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.checks import Flag
from core.dataset.dataset import Dataset
from core.dataset.records import BadLine
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, counts, list_text, scanned, text_of
from tests.tui.test_data_audit import choose
from tui.app import TunedeckApp
from tui.data.listing import Listing
from tui.data.rows import DataRows

NAMES = ("flagged", "undecided", "kept", "dropped", "marked", "found", "flag: empty_answer", "file: 0", "file: 1")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Four rows without an answer: two in each file; in the second one of them has a long question."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("\n".join([chat("one", ""), chat("two"), chat("three", "")]) + "\n")
    second.write_text("\n".join([chat("four"), chat("five " * 30, ""), "{broken", chat("six", "")]) + "\n")
    return first, second


def numbers(app: TunedeckApp) -> list[str]:
    """The numbers of the rows that are listed."""
    rows = (row.lstrip("> ✓✗").split() for row in list_text(app).splitlines() if row.strip())
    return [row[0] for row in rows]


async def test_flag_and_undecided_and_file_and_length_narrow_each_other_and_go_one_by_one(
    make_app: MakeApp, files: tuple[Path, Path]
) -> None:
    app = make_app(data=files)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await choose(pilot, "F", "empty")
        await until(pilot, lambda: numbers(app) == ["1", "3", "5", "6"], "the flag")
        await choose(pilot, "plus", "undecided")
        assert "4 of 6  empty answer + undecided" in counts(app)
        await pilot.press("d")
        await until(pilot, lambda: numbers(app) == ["3", "5", "6"], "what is decided leaves the list")
        await choose(pilot, "plus", "file b.jsonl")
        await until(pilot, lambda: numbers(app) == ["5", "6"], "the file")
        await choose(pilot, "plus", "by length in characters")
        await pilot.press(*">20", "enter")
        await until(pilot, lambda: numbers(app) == ["5"], "the length")
        shown = " ".join(counts(app).split())
        assert shown == "1 of 6 empty answer + undecided + file b.jsonl + with 21+ characters"

        await choose(pilot, "plus", "remove filter: undecided")
        await choose(pilot, "plus", "remove filter: file b.jsonl")
        assert " ".join(counts(app).split()) == "1 of 6 empty answer + with 21+ characters"
        await pilot.press("escape")
        await until(pilot, lambda: numbers(app) == ["1", "3", "5", "6"], "the flag alone, the dropped row too")
        assert "EMPTY ANSWER 4" in text_of(app.screen.query_one("#counts"))
        await choose(pilot, "plus", "containing")
        await pilot.press(*"six", "enter")
        await until(pilot, lambda: numbers(app) == ["6"], "the text")
        await pilot.press("f")
        await until(pilot, lambda: "ALL 6" in text_of(app.screen.query_one("#counts")), "f lists all again")


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_listed_is_what_each_list_holds(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("rows")
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_text("\n".join(chat(f"{name} {number}") for number in range(6)) + "\n")
    rows = DataRows(Dataset.open([folder / "a.jsonl", folder / "b.jsonl"]))
    rows.dataset.reader.extend()
    some = st.sets(st.integers(0, 11))
    bad = sorted(data.draw(st.sets(st.integers(0, 11), max_size=2)))
    rows.learn({}, [(entry, BadLine(folder / "a.jsonl", entry, "broken")) for entry in bad], 12)
    good = range(12 - len(bad))
    for row in data.draw(some):
        if row in good:
            rows.flags[row] = (Flag(data.draw(st.sampled_from(("empty_answer", "loop"))), "why"),)
    rows.decisions = {row: data.draw(st.sampled_from(("keep", "drop"))) for row in data.draw(some) if row in good}
    listing = Listing(rows)
    listing.hits = sorted(data.draw(some))
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    listing.use_filter(names[0], tuple(names[1:]))
    listed = [listing.entry_at(position) for position in range(listing.count)]
    assert listed == [entry for entry in range(12) if all(listing.holder(name)(entry) for name in names)]
    assert [listing.position_of(entry) for entry in listed] == list(range(len(listed)))
    assert list(listing.listed()[1:3]) == listed[1:3]
    within = listing.counts_within(listed)
    for name in set(NAMES) - {"all", "found"}:
        assert within[name] == sum(map(listing.holder(name), listed)), name
