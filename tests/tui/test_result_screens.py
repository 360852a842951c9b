"""Evaluate, Export and Runs on folders in the form that the workers write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from core.clean import is_hostile
from core.jobs.folder import JobFolder
from core.runs.saved import Weights, write_weights
from tests.kit.run_folders import finished_run
from tests.kit.waiting import until
from tui.app import TunedeckApp
from tui.widgets.key_bar import KeyBar
from tui.widgets.table import Table
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]
HOSTILE = "\x1b]52;c;eA==\x07[@click=app.quit]x[/] [/INST]"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run whose texts are hostile."""
    return finished_run(tmp_path, HOSTILE).path


def text(app: TunedeckApp, selector: str) -> str:
    """What a widget shows."""
    return str(app.screen.query_one(selector, Static).render())


async def shown(pilot: Pilot[int], app: TunedeckApp) -> None:
    """Wait until the screen's worker has brought what it read."""
    await app.workers.wait_for_complete()
    await pilot.pause()


async def test_evaluate_walks_the_answers_and_finds_those_that_differ(make_app: MakeApp, run: Path) -> None:
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, app)
        assert "5.000" in text(app, "#facts")
        assert "1.250" in text(app, "#facts")
        assert "2 of 3 answers differ" in text(app, "#facts")
        assert "question 1" in text(app, "#prompt"), "answers that did not change come last"
        await pilot.press("]")
        assert "base 2" in text(app, "#base")
        await pilot.press("j", "j", "j")
        assert "question 0" in text(app, "#prompt")
        await pilot.press("g")
        assert "question 1" in text(app, "#prompt")
        await pilot.press("G", "k", "k")
        assert "base 1" in text(app, "#base")
        assert not app.screen.query_one("#reference").display
        await pilot.press("r")
        assert "reference 1" in text(app, "#reference")
        assert app.screen.query_one("#reference").display


async def test_titles_of_the_answers_are_as_bright_as_text(make_app: MakeApp, run: Path) -> None:
    """They had the color of the frame, in which nobody could read them in the dark."""
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, app)
        text_color = Color.parse(app.theme_variables["foreground"])
        for name in ("#samples", "#prompt", "#base-box", "#reference"):
            assert app.screen.query_one(name).styles.border_title_color == text_color, name
        samples = app.screen.query_one(OptionList)
        assert samples.virtual_size.height == 3, "a line for each sample"
        assert samples.scrollable_content_region.width - 2 - 7 >= 40, "cells of its question"


async def test_hostile_answers_reach_no_widget_raw(make_app: MakeApp, run: Path) -> None:
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(160, 45)) as pilot:
        await shown(pilot, app)
        await pilot.press("]")
        shown_texts = [text(app, name) for name in ("#prompt", "#base", "#tuned", "#reference")]
        assert not any(is_hostile(shown_text) for shown_text in shown_texts)
        assert "[@click=app.quit]x[/] [/INST]" in shown_texts[2]
        assert app.screen.query_one(OptionList).option_count == 3


async def test_the_most_changed_answers_come_first_and_those_to_very_long_questions_last(
    make_app: MakeApp, run: Path
) -> None:
    turns = [("x " * 2_000, "a b c", "d e f"), ("short", "a b c d", "a b c e"), ("short", "a b c", "d e f")]
    answers = [
        {"n": n, "messages": [{"role": "user", "content": asked}], "reference": "", "base": base, "tuned": tuned}
        for n, (asked, base, tuned) in enumerate(turns)
    ]
    (run / "evaluation" / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(160, 45)) as pilot:
        await shown(pilot, app)
        listed = app.screen.query_one(OptionList)
        lines = [str(listed.get_option_at_index(n).prompt).split() for n in range(3)]
        assert [line[1] for line in lines] == ["3", "2", "1"]


async def test_a_loss_that_did_not_fall_is_said(make_app: MakeApp, run: Path) -> None:
    (run / "evaluation" / "summary.json").write_text('{"base_loss": 1.0, "tuned_loss": 1.25, "eval_samples": 3}')
    app = make_app("evaluate", run=run)
    async with app.run_test() as pilot:
        await shown(pilot, app)
        assert "NOT improved" in text(app, "#facts")


async def test_a_stopped_run_says_how_it_comes_to_a_comparison(make_app: MakeApp, run: Path) -> None:
    """Said was that there is none, and no way to one."""
    folder = JobFolder(run)
    folder.write_status(state="stopped")
    (folder.evaluation / "summary.json").unlink()
    (folder.evaluation / "answers.jsonl").unlink()
    (folder.checkpoints / "checkpoint-40").mkdir(parents=True)
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, app)
        said = text(app, "#facts")
        assert "was stopped" in said
        assert "Resume the run on Train" in said
        assert "Press 5" in text(app, "#adapter")


async def test_evaluate_says_what_to_do_without_a_run_and_without_results(make_app: MakeApp, run: Path) -> None:
    app = make_app("evaluate")
    async with app.run_test() as pilot:
        await shown(pilot, app)
        assert "No run selected" in text(app, "#facts")
        assert "next" not in app.screen.query_one(KeyBar).render().plain
    (run / "evaluation" / "summary.json").unlink()
    app = make_app("evaluate", run=run)
    async with app.run_test() as pilot:
        await shown(pilot, app)
        assert "finished without one" in text(app, "#facts")


async def test_a_screen_of_a_run_shows_the_newest_run_if_none_was_chosen(make_app: MakeApp, run: Path) -> None:
    app = make_app("data")
    app.session.workspace = run.parents[1]
    async with app.run_test() as pilot:
        app.notify("Said on another screen.")
        await pilot.press("4")
        await shown(pilot, app)
        assert app.session.run == run
        assert "eval loss" in text(app, "#facts")
        assert not len(app._notifications)


async def test_export_copies_the_adapter_where_the_user_says(make_app: MakeApp, run: Path, tmp_path: Path) -> None:
    app = make_app("export", run=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, app)
        assert "rank 8" in text(app, "#what")
        assert "PeftModel.from_pretrained" in text(app, "#code")
        await pilot.press("w", *"home")
        footer = app.screen.query_one(KeyBar).render().plain
        assert "enter confirm" in footer
        assert "esc cancel" in footer
        await pilot.press("enter")
        until(lambda: (tmp_path / "home" / "adapter_config.json").exists(), "the copy")
        await app.workers.wait_for_complete()
        await pilot.press("w", *"home", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "not overwritten" in text(app, "#prompt-words")
        assert not (tmp_path / "home" / run.name).exists()
        await pilot.press("escape", "2")
        await pilot.pause()
        assert app.current_mode == "recipe"


async def test_runs_lists_them_newest_first_and_opens_the_chosen_one(
    make_app: MakeApp, run: Path, tmp_path: Path
) -> None:
    later = JobFolder.create(tmp_path / "runs", "later", "training")
    job = later.read_job()
    later.write_job({**job, "created": job["created"] + 5})
    later.write_status(state="failed", message="It broke.", ended=job["created"] + 6)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, app)
        table = app.screen.query_one(Table)
        head, newer, older = (table.render_line(y).text for y in range(3))
        assert head.split() == ["state", "run", "verdict", "best", "eval", "duration", "started"]
        assert "failed" in newer
        assert "later" in newer
        assert "finished" in older
        assert "1.75" in older
        assert "1 min 01 s" in older
        await pilot.press("down", "r")
        await pilot.pause()
        assert app.current_mode == "evaluate"
        assert app.session.run == run


async def test_an_adapter_has_its_own_step_and_eval_loss_beside_it_on_every_screen(
    make_app: MakeApp, run: Path
) -> None:
    """The run's last eval loss stood beside weights that were older."""
    write_weights(run / "adapter", Weights(24, 24, 40, 1.5, 2.5, 20, 5.0))
    JobFolder(run).append_metric({"step": 40, "eval_loss": 1.75})
    own = "step 24 of 40, eval loss 2.500 at step 20; the run continued to step 40 without saving"
    app = make_app("export", run=run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, app)
        assert own in text(app, "#what")
    app = make_app("runs")
    async with app.run_test(size=(200, 40)) as pilot:
        await shown(pilot, app)
        assert any(own in line for line in app.screen.query_one("#detail", TextLines).plain)
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, app)
        assert " KiB, step 24)" in text(app, "#adapter")
        compared = json.loads((run / "evaluation" / "summary.json").read_text())
    (run / "evaluation" / "summary.json").write_text(json.dumps({**compared, "adapter_step": 12}))
    app = make_app("evaluate", run=run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, app)
        assert "comparison above is of step 12" in text(app, "#adapter")


async def test_runs_without_runs_says_what_to_do(make_app: MakeApp) -> None:
    app = make_app("runs")
    async with app.run_test() as pilot:
        await shown(pilot, app)
        assert app.screen.query_one("#none").display
        assert "live screen" not in app.screen.query_one(KeyBar).render().plain
