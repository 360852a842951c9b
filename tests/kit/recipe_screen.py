"""What tests of the recipe screen read off it, and the workspace that they start from."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.recipe import templates
from core.recipe.recipe import Recipe, put
from core.recipe.yamlfile import load
from core.runs.advice.kept import keep
from core.runs.advice.questions import Answers
from tests.kit.app_waiting import until
from tests.kit.recipe_models import write_model
from tui.app import TunedeckApp
from tui.recipe.screen import RecipeScreen
from tui.widgets.form import Form
from tui.widgets.path_input import PathInput
from tui.widgets.text_view import TextView

MakeApp = Callable[..., TunedeckApp]


def screen(app: TunedeckApp) -> RecipeScreen:
    """The recipe screen, which must be the one that is shown."""
    assert isinstance(app.screen, RecipeScreen)
    return app.screen


def form(app: TunedeckApp) -> Form:
    """The form of the recipe screen."""
    return screen(app).query_one(Form)


def row(app: TunedeckApp, path: str) -> str:
    """The line of a field, wherever the form is scrolled to."""
    view = form(app)
    view.go_to(path)
    place = view.keys.index(path)
    lines = [view.render_line(y).text for y in range(-view.scroll_offset.y, view.size.height)]
    return [line for line in lines if not line.startswith("──")][place]


def help_text(app: TunedeckApp) -> str:
    """What the help panel says."""
    return screen(app).query_one("#help > Static", Static).render().plain  # type: ignore[union-attr]


def line(app: TunedeckApp) -> str:
    """The line of words above the keys."""
    return screen(app).query_one("#line", Static).render().plain  # type: ignore[union-attr]


def yaml(app: TunedeckApp) -> str:
    """The YAML view's text from its first line on, wherever it is scrolled to."""
    view = screen(app).query_one(TextView)
    top, height = view.scroll_offset.y, max(view.size.height, view.virtual_size.height)
    return "\n".join(view.render_line(y - top).text.rstrip() for y in range(height))


async def looked(app: TunedeckApp, pilot: Pilot[int]) -> None:
    """Wait until the surroundings of the recipe as it stands have been looked up."""
    await pilot.pause()
    await until(pilot, lambda: screen(app)._facts.recipe == app.session.recipe, "the surroundings")


async def answer(app: TunedeckApp, pilot: Pilot[int], key: str, name: str) -> None:
    """Press a key that asks for a file name, and enter one."""
    await pilot.press(key)
    screen(app).query_one(PathInput).value = name
    await pilot.press("enter")


async def kept(pilot: Pilot[int], draft: Path, wanted: Recipe) -> None:
    """Wait until a draft of this recipe is on disk."""
    await until(pilot, lambda: draft.exists() and load(draft) == wanted, "the draft on the disk")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a model and data; workers are a command that ends at once, because training has own tests."""
    write_model(tmp_path / "model", template=templates.text("chatml"))
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(20)
    ]
    (tmp_path / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    keep(tmp_path, Answers())  # the questions before the form were skipped
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexit 0\n")
    worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(worker))
    return tmp_path


def sound(workspace: Path) -> Recipe:
    """A recipe that can be started in the workspace."""
    recipe = put(Recipe(), "model.path", str(workspace / "model"))
    recipe = put(recipe, "data.train", (str(workspace / "tickets.jsonl"),))
    return put(put(recipe, "lora.rank", 4), "data.max_length", 64)


# --- the form is the declaration
