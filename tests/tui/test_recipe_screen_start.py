"""The start of a run from the recipe screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.gpu.nvml import GpuInventory
from core.gpu.readings import GpuSample
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.jobs.trust import CODE, COMMAND, ConsentRequest
from core.recipe.recipe import from_json, put
from tests.kit import waiting
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import form, help_text, line, screen, sound, workspace
from tests.kit.run_folders import make_run
from tests.kit.training_python import python_with_torch
from tui.app import TunedeckApp
from tui.widgets.agree import Agree
from tui.widgets.confirm import Confirm

__all__ = ["workspace"]

MakeApp = Callable[..., TunedeckApp]


async def started(app: TunedeckApp, pilot: Pilot[int]) -> JobFolder:
    """The run that the app shows, once there is one."""
    await until(pilot, lambda: app.session.run is not None, "a run")
    assert app.session.run is not None
    return JobFolder(app.session.run)


@pytest.mark.parametrize(("key", "steps"), [("f5", 0), ("f6", 20)])
async def test_a_start_makes_a_run_of_the_recipe_and_goes_to_its_screen(
    make_app: MakeApp, workspace: Path, key: str, steps: int
) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    gone_to: list[str] = []
    app.switch_mode = lambda mode: gone_to.append(mode)  # type: ignore[assignment,method-assign,return-value]
    async with app.run_test() as pilot:
        await pilot.press(key)
        folder = await started(app, pilot)
        await pilot.pause()
        assert folder.path.parent == workspace / "runs"
        recipe = from_json(folder.read_job()["payload"]["recipe"])
        assert recipe.training.max_steps == steps
        assert recipe.lora.rank == 4
        assert gone_to == ["train"]
        assert app.session.recipe == sound(workspace)
    waiting.until(lambda: standing(folder).over, "the run ends")


async def test_a_start_that_is_refused_says_why_and_goes_to_the_field(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "data.train", ()))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        assert "No training data" in line(app)
        assert form(app).current.key == "data.train"
        assert not (workspace / "runs").exists()


async def test_a_start_that_the_preflight_refuses_says_why_and_goes_to_the_field(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "model.path", str(workspace / "nothing")))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: line(app).startswith("Not started"), "the refusal")
        assert "There is no such folder" in line(app)
        assert form(app).current.key == "model.path"
        assert screen(app).check_action("start", (False,))


async def test_a_start_can_be_canceled_while_the_data_is_read(make_app: MakeApp, workspace: Path) -> None:
    line_of = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})
    (workspace / "tickets.jsonl").write_text((line_of + "\n") * 60_000)
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        assert not screen(app).check_action("start", (False,))
        assert screen(app).check_action("cancel", ())
        await pilot.press("f5")
        await until(pilot, lambda: screen(app).check_action("start", (False,)), "it can be started again")
        assert "canceled" in line(app)
        assert not (workspace / "runs").exists()
        assert app.session.run is None


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_a_command_of_the_recipe_is_shown_and_asked_for_once_before_the_start(
    make_app: MakeApp, workspace: Path, size: tuple[int, int]
) -> None:
    command = f"[b]touch[/b] '{workspace / 'X'}'"
    app = make_app("recipe", recipe=put(sound(workspace), "reporting.at_end", command))
    async with app.run_test(size=size) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Agree), "the question")
        assert command in app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        await pilot.press("escape")
        assert "Not started" in line(app)
        assert not ConsentRequest(COMMAND, command).agreed
        assert not (workspace / "runs").exists()
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Agree), "the question again")
        app.switch_mode = lambda mode: None  # type: ignore[assignment,method-assign,return-value]
        await pilot.press("y")
        folder = await started(app, pilot)
        assert ConsentRequest(COMMAND, command).agreed
    waiting.until(lambda: standing(folder).over, "the run ends")


async def test_a_start_among_runs_from_elsewhere_asks_whether_the_workspace_is_trusted(
    make_app: MakeApp, workspace: Path
) -> None:
    make_run(workspace, state="finished")
    app = make_app("recipe", recipe=sound(workspace))
    app.switch_mode = lambda mode: None  # type: ignore[assignment,method-assign,return-value]
    async with app.run_test() as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Agree), "the question")
        assert str(workspace) in app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        await pilot.press("y")
        folder = await started(app, pilot)
    waiting.until(lambda: standing(folder).over, "the run ends")


async def test_the_form_says_that_a_command_is_not_allowed_yet_and_a_choice_by_hand_allows_code(
    make_app: MakeApp, workspace: Path
) -> None:
    recipe = put(sound(workspace), "reporting.at_end", f"touch {workspace / 'X'}")
    app = make_app("recipe", recipe=recipe)
    async with app.run_test(size=(120, 40)) as pilot:
        form(app).go_to("reporting.at_end")
        await until(pilot, lambda: "You have not allowed it yet" in help_text(app), "the help says so")
        form(app).go_to("model.trust_remote_code")
        assert not ConsentRequest(CODE, recipe.model.path).agreed
        form(app).retype("yes")
        await until(pilot, lambda: app.session.recipe.model.trust_remote_code, "the field is set")
        assert ConsentRequest(CODE, recipe.model.path).agreed


@pytest.mark.parametrize("size", [(120, 40)])
async def test_pure_bfloat16_is_asked_for_and_the_yes_counts_for_that_run(
    make_app: MakeApp, workspace: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    (workspace / "torch").mkdir()
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(workspace / "torch"))
    card = GpuSample(0, "GPU-0", "A card", 80 * 2**30, 80 * 2**30 - 2**20, capability=(8, 0))
    monkeypatch.setattr("core.runs.start.read_gpus", lambda: GpuInventory((card,)))
    app = make_app("recipe", recipe=put(put(sound(workspace), "method", "full"), "training.learning_rate", 1e-5))
    async with app.run_test(size=size) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        assert "most weights never change" in app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        await pilot.press("escape")
        assert "Not started" in line(app)
        assert form(app).current.key == "model.dtype"
        assert not (workspace / "runs").exists()
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question again")
        app.switch_mode = lambda mode: None  # type: ignore[assignment,method-assign,return-value]
        await pilot.press("y")
        folder = await started(app, pilot)
        assert from_json(folder.read_job()["payload"]["recipe"]).model.dtype == "bfloat16"
        assert app.session.recipe is not None
        assert app.session.recipe.model.dtype == "auto"
    waiting.until(lambda: standing(folder).over, "the run ends")
