"""Decisions that another process makes on the same workspace, while the data set is open here."""

from __future__ import annotations

from pathlib import Path

from core.dataset.audit.store import DecisionStore, read_ledger
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, counts, scanned


async def test_what_another_process_decides_shows_without_opening_anew(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the decision here")
        key = next(iter(read_ledger(app.session.workspace).standings()))
        other = DecisionStore(app.session.workspace)
        other.decide(key, "keep").result()
        other.close()
        await until(pilot, lambda: "kept 1" in counts(app), "the decision there")
        assert "dropped 0" in counts(app)
