"""The views of a row on the data screen: chat, template and raw; what is folded, and what is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.paths import SAMPLE_DATA
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, line, sample_text, sample_view, scanned, text_of
from tests.kit.warm.process import WarmPython
from tui.widgets.key_bar import KeyBar


async def test_the_views_go_round_and_raw_shows_the_files_own_json(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "No model selected" in sample_text(app), "the text")
        await pilot.press("v")
        await until(pilot, lambda: '"messages": [' in sample_text(app), "the text")
        assert '"role": "user",' in sample_text(app)
        await pilot.press("v")
        await until(pilot, lambda: "user\n  first" in sample_text(app), "the text")


async def test_the_template_view_says_what_the_light_install_lacks(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNEDECK_PYTHON", raising=False)
    monkeypatch.setitem(__import__("sys").modules, "trl", None)
    app = make_app(data=(tickets,), recipe_path=SAMPLE_DATA / "recipe.yaml")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "pip install 'tunedeck[train]'" in sample_text(app), "the text")


async def test_the_template_view_shows_the_mask_of_the_training(
    make_app: MakeApp, tickets: Path, tmp_path: Path, warm: WarmPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service begins only when a file `go` is there: else its answer may come before the words on waiting."""
    python, go = tmp_path / "python", tmp_path / "go"
    python.write_text(f'#!/bin/sh\nuntil [ -e "{go}" ]; do sleep 0.05; done\nexec "{warm.path}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(python))
    app = make_app(data=(tickets,), recipe_path=SAMPLE_DATA / "recipe.yaml")
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "in the background" in sample_text(app), "the text")
        go.touch()
        await until(pilot, lambda: "template: " in sample_text(app), "the answer of the preview service")
        rows = sample_text(app).splitlines()
        assert any(row.startswith("▌ An answer.") for row in rows)
        assert any(row.startswith("  first") for row in rows), "the question is read, not learned"
        drawn = [span for shown in sample_view(app).lines() for span in shown.spans]
        styles = {style for _, style in drawn}
        assert {"trained", "trained-next", "masked", "masked-next"} <= styles, "each token is told from the next"
        assert "tokens trained" in str(sample_view(app).border_subtitle)


async def test_thinking_is_folded_until_its_key_which_the_footer_shows_only_where_it_works(
    make_app: MakeApp, tmp_path: Path
) -> None:
    path = tmp_path / "think.jsonl"
    path.write_text(
        chat("first", "<think>carry the one</think>\n```python\nreturn 7\n```") + "\n" + chat("second") + "\n"
    )
    app = make_app(data=(path,))
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "▸ thinking, 13 characters  carry the one…" in sample_text(app)
        assert "│   return 7" in sample_text(app)
        await pilot.press("z")
        await until(pilot, lambda: "▾ thinking, 13 characters\n" in sample_text(app), "the text")
        assert "thinking" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("down")
        await pilot.pause()
        assert "thinking" not in text_of(app.screen.query_one(KeyBar))


async def test_a_long_row_is_copied_as_far_as_terminals_take_it_and_says_how_much(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    path = tmp_path / "long.jsonl"
    path.write_text(chat("first", "<think>hidden</think>" + "重" * 60_000) + "\n")
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("y")
        await until(pilot, lambda: "Copied only the first 73.2 KiB" in line(app), "the text")
        assert "set-clipboard on" in line(app)
        assert "hidden" in app.clipboard, "what is folded is copied in full"
        assert 74_990 < len(app.clipboard.encode()) <= 74_994
        assert "�" not in app.clipboard
