"""A search marks what it has found, in the list and in the row, and leads from hit to hit."""

from __future__ import annotations

import json
from pathlib import Path

from textual.geometry import Region
from textual.widget import Widget

from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, dataset, line, rows_list, sample_text, sample_view, scanned


def marked(widget: Widget) -> list[str]:
    """The marked pieces that a widget draws."""
    strips = widget.render_lines(Region(0, 0, *widget.outer_size))
    return [part.text for strip in strips for part in strip if part.style is not None and part.style.reverse]


async def test_hits_are_marked_in_list_and_row_and_gone_to_from_row_to_row(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    long = "Some words that come before. " * 20
    numbers = "\n".join(map(str, range(80)))
    rows = [
        chat("nothing of it"),
        chat(f"{long}Where is the ΚΌΣΜΟΣ key?", f"It is the κόσμος key.\n{numbers}\nκόσμος"),
        json.dumps({**json.loads(chat("of a column")), "source": f"{long} from the kόσμος, or κόσμος"}),
    ]
    path.write_text("\n".join(rows) + "\n")
    app = make_app(data=(path,))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("slash", *"κόσμος", "enter")
        await until(pilot, lambda: "2 rows containing “κόσμος”" in line(app), "the hits")
        in_list = [text for text in marked(rows_list(app)) if text.strip()]
        assert "ΚΌΣΜΟΣ" in in_list, "however far from the beginning of the row"
        assert "κόσμος" in in_list, "in a column that is no part of the sample"
        assert "ΚΌΣΜΟΣ" in marked(sample_view(app).text), "the row is shown at its first hit"
        pane = dataset(app)
        assert pane.check_action("hit", (1,))
        await pilot.press("n")
        await pilot.press("n")
        await pilot.pause()
        assert "79" in sample_text(app), "the hit below 80 lines"
        await pilot.press("n")
        await pilot.pause()
        assert rows_list(app).cursor == 1, "behind the last hit of a row comes the next row"
        await pilot.press("n")
        await pilot.pause()
        assert "last match" in line(app)
        await pilot.press("N")
        await pilot.pause()
        assert rows_list(app).cursor == 0
        assert "79" in sample_text(app), "and before the first hit the last one of the row before"
        await pilot.press("enter", "n", "n")
        await pilot.pause()
        assert "79" in sample_text(app), "full screen begins at the first hit as well"
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert rows_list(app).count == 3
        assert "ΚΌΣΜΟΣ" not in marked(sample_view(app).text)
        assert not pane.check_action("hit", (1,))
