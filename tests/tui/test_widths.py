"""At every width from 80 up a row shows at least 40 characters of its text, and no number or name is cut."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, list_text, rows_list, sample_view, scanned, text_of
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence
from tui.duplicates.screen import DuplicatesScreen

LEAST_TEXT = 40

WIDTHS = (80, 100, 110, 116, 120, 140, 150, 160, 200)
_CUT = re.compile(r"…\s*[─╮]")
"""The end of a title that is cut."""


async def test_rows_show_their_text_at_every_width(make_app: MakeApp, tmp_path: Path) -> None:
    made = random.Random(5)
    texts = [sentence(made, 30) for _ in range(6)]
    rows = [chat(text, "" if n == 2 else "An answer.") for n, text in enumerate(texts)]
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join([*rows, rows[0], '{"prompt": 1}', "{broken"]) + "\n")
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        rows_list(app).digits = len("99,999")
        for width in WIDTHS:
            await pilot.resize_terminal(width, 40)
            await pilot.pause()
            shown = list_text(app)
            for text in texts:
                assert text[:LEAST_TEXT] in shown, f"{width}: {text[:LEAST_TEXT]}\n{shown}"
            for status in ("empty", "dup 1", "unreadable", "malformed"):
                assert status in shown, f"{width}: {status}\n{shown}"
            title = text_of(app.screen.query_one("#list-pane")).splitlines()[0]
            assert "1 malformed line" in title, f"{width}: {title}"
        for size in ((80, 24), (120, 40)):
            await pilot.resize_terminal(*size)
            sample_view(app).show_notes([("cut off", sentence(made, 40) + " Raise max length."), ("note", str(size))])
            await pilot.pause()
            assert "Raise max length." in " ".join(text_of(app.screen.query_one("#notes")).split()), "the advice"


async def test_clusters_and_their_rows_show_their_text_at_every_width_and_a_small_file_is_searched_at_once(
    make_app: MakeApp, tmp_path: Path
) -> None:
    made = random.Random(7)
    first, second = sentence(made, 40), sentence(made, 40)
    texts = [*(sentence(made, 12) for _ in range(110)), first, with_slips(first, 1, made), second, second]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        app.screen.dataset.action_duplicates()  # type: ignore[attr-defined]
        await until(pilot, lambda: isinstance(app.screen, DuplicatesScreen), "the screen")
        await until(pilot, lambda: bool(app.screen.query("#members")), "the result, without a key")
        await until(pilot, lambda: "112" in text_of(app.screen.query_one("#members")), "the rows")
        for width in WIDTHS:
            await pilot.resize_terminal(width, 40)
            await pilot.pause()
            groups, members, pair = (text_of(app.screen.query_one(name)) for name in ("#groups", "#members", "#pair"))
            assert first[:LEAST_TEXT] in groups, f"{width}\n{groups}"
            assert second[:LEAST_TEXT] in groups, f"{width}\n{groups}"
            assert members.count(first[: LEAST_TEXT // 2]) == 2 or first[:LEAST_TEXT] in members, f"{width}\n{members}"
            assert re.search(r"112 ▲ removable +9\d% like row 111 ", members), f"{width}\n{members}"
            assert "row 112 is removable" in pair, f"{width}\n{pair}"
            assert "row 111, which stays" in pair, f"{width}\n{pair}"
            for name in ("#groups-pane", "#members-pane", "#pair"):
                title = text_of(app.screen.query_one(name)).splitlines()[0]
                assert not _CUT.search(title), f"{width}: {title}"
