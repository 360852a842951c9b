"""The mapping form: opens by itself where nothing fits, is kept with the file, and orphans no decision."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from core.dataset.audit.store import read_ledger
from core.dataset.mapping import saved
from tests.kit.app_waiting import until
from tui.app import TunedeckApp
from tui.data.mapping import MappingScreen
from tui.data.screen import DataScreen
from tui.screens.help import HelpScreen
from tui.widgets.form import Form

MakeApp = Callable[..., TunedeckApp]


def write(path: Path, first: str, second: str) -> Path:
    rows = [{first: f"How do I reset number {n}?", second: f"Press the key {n}."} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def text_of(widget: Widget) -> str:
    return "\n".join(strip.text.rstrip() for strip in widget.render_lines(Region(0, 0, *widget.outer_size)))


def text(app: TunedeckApp, name: str) -> str:
    return text_of(app.screen.query_one(name))


def asks(app: TunedeckApp) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, MappingScreen) and bool(text(app, "#why").strip())


def reads(app: TunedeckApp) -> Callable[[], bool]:
    def scanned() -> bool:
        line = app.screen.query("#line")
        return isinstance(app.screen, DataScreen) and "scanned" in str(line.first(Static).render())

    return scanned


async def test_an_unknown_shape_opens_the_form_and_what_is_taken_there_stays(make_app: MakeApp, tmp_path: Path) -> None:
    data = write(tmp_path / "tickets.jsonl", "frage", "reply_text")
    app = make_app(data=(data,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, asks(app), "the form")
        assert "No known format" in text(app, "#why")
        assert "How do I reset number 0?" in text(app, "#columns")
        assert "Press the key 0." in text(app, "#preview")
        await pilot.press("f3")
        await pilot.pause()
        assert "Press the key 1." in text(app, "#preview")
        await pilot.press("ctrl+s")
        await until(pilot, reads(app), "the rows")
        assert "How do I reset number 0?" in text(app, "#list")
        assert app.session.columns["prompt"] == "frage"
    kept = saved(tmp_path, [data])
    assert kept.columns["completion"] == "reply_text"
    again = make_app(data=(data,))
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, reads(again), "the rows")
        assert "prompt-completion" in str(again.screen.query_one("#list-pane").border_title)


async def test_a_corrected_mapping_keeps_the_decisions_and_shows_at_once(make_app: MakeApp, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", "prompt", "completion")
    app = make_app(data=(data,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, reads(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in text(app, "#counts").lower(), "the decision")
        await pilot.press("M")
        await until(pilot, asks(app), "the form")
        why = " ".join(text(app, "#why").split())
        assert why.startswith("prompt and completion; "), why
        assert "`prompt`, `completion`" in why
        await pilot.press("down", "right")  # the prompt is the other column now
        await until(pilot, lambda: "! used twice" in text_of(app.screen.query_one(Form)), "the warning")
        await pilot.press("down", "left")
        await until(pilot, lambda: 0 < text(app, "#preview").find("key 0") < text(app, "#preview").find("assist"), "it")
        await pilot.press("ctrl+s")
        await until(pilot, reads(app), "the rows")
        await until(pilot, lambda: "dropped 1" in text(app, "#counts").lower(), "the decision, still")
        assert "Press the key 0." in text(app, "#list")
    assert [standing.verdict for standing in read_ledger(tmp_path).standings().values()] == ["drop"]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (160, 45)])
async def test_the_form_fits_every_size_and_esc_changes_nothing(
    make_app: MakeApp, tmp_path: Path, size: tuple[int, int]
) -> None:
    data = write(tmp_path / "tickets.jsonl", "frage", "reply_text")
    app = make_app(data=(data,))
    async with app.run_test(size=size) as pilot:
        await until(pilot, asks(app), "the form")
        for name in ("#form", "#columns", "#preview"):
            region = app.screen.query_one(name).region
            assert region.right <= size[0]
            assert region.height > 3
        await pilot.press("escape")
        await until(pilot, reads(app), "the rows, unmapped")
        assert not saved(tmp_path, [data]).said
        assert "unknown format" in text(app, "#list")


async def test_titles_of_another_format_are_whole_and_help_names_the_keys(make_app: MakeApp, tmp_path: Path) -> None:
    data = tmp_path / "odd.csv"
    data.write_text(
        "Frage;Antwort\nWer war das?;Niemand, wie es scheint.\nWo ist es?;Dort hinten.\nWie?;Ganz einfach so.\n"
    )
    app = make_app(data=(data,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, asks(app), "the form")
        assert "prompt-completion" in text_of(app.screen.query_one(Form)), "short questions are proposed as such"
        await until(
            pilot, lambda: "completion  Antwort" in text_of(app.screen.query_one(Form)).replace("•", " "), "its titles"
        )
        for _ in range(20):
            await pilot.press("right")
            if "‹messages›" in text_of(app.screen.query_one(Form)):
                break
        await until(pilot, lambda: "messages  (none)" in text_of(app.screen.query_one(Form)), "titles of another one")
        assert "columns messages=" not in text(app, "#why")
        assert "below with" in text(app, "#why")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "▲ Cannot apply: " in text(app, "#why"), "why it is not taken")
        assert isinstance(app.screen, MappingScreen)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "the help")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MappingScreen), "the form again")


async def test_the_key_that_quits_works_in_the_form(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(data=(write(tmp_path / "a.jsonl", "left", "right"),))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, asks(app), "the form")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.is_running or app._exit, "the end")


async def test_each_file_and_the_eval_file_have_a_mapping_of_their_own(make_app: MakeApp, tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.jsonl", "prompt", "completion"), write(tmp_path / "b.jsonl", "frage", "reply_text")
    held = write(tmp_path / "e.jsonl", "ask", "say")
    app = make_app(data=(one, two), eval_data=(held,))
    async with app.run_test(size=(80, 24)) as pilot:
        facts = lambda: text(app, "#line") if app.screen.query("#line") else ""  # noqa: E731
        await until(pilot, lambda: "b.jsonl: format unknown" in " ".join(facts().split()), "what is unknown")
        await pilot.press("M")
        await until(pilot, asks(app), "the form")
        assert str(app.screen.query_one(Form).border_title) == "b.jsonl  2 of 3"
        assert "How do I reset number 0?" in text(app, "#preview")
        await pilot.press("f6")
        title = lambda: str(app.screen.query_one(Form).border_title)  # noqa: E731
        await until(pilot, lambda: title() == "eval file e.jsonl  3 of 3", "the eval file")
        await pilot.press("f6")
        await until(pilot, lambda: title() == "a.jsonl  1 of 3", "the first file")
        await pilot.press("f6", "f6")
        await until(pilot, lambda: "3 of 3" in title(), "the eval file again")
        await pilot.press("ctrl+s")
        await until(pilot, reads(app), "the rows, one half unknown, the prompts of the eval file known")
        assert app.session.eval_columns["prompt"] == "ask"
        await pilot.press("M")
        await until(pilot, asks(app), "the form of the file that is unknown still")
        await pilot.press("ctrl+s")
        await until(pilot, reads(app), "all rows")
        assert app.session.columns["b.jsonl:prompt"] == "frage"
        assert app.session.format == "auto"
    assert saved(tmp_path, [one, two]).columns["b.jsonl:format"] == "prompt-completion"
    assert saved(tmp_path, [held]).columns["completion"] == "say"
