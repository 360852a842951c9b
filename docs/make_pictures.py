"""Draws the pictures in `docs/pictures` from the real program on a real run: `make pictures` (about two minutes)."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import ROOT, SAMPLE_DATA
from core.recipe.yamlfile import load
from core.runs.start import start_run
from tui.app import TunedeckApp
from tui.session import Session

PICTURES = ROOT / "docs" / "pictures"
SIZES = {"wide": (160, 45), "80x24": (80, 24)}
THEMES = ("dark", "light")


async def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.1)


async def draw(name: str, session: Session, step: str, ready: Callable[[TunedeckApp], Awaitable[None]]) -> None:
    """Draw one screen in every size and theme."""
    for size_name, size in SIZES.items():
        for theme in THEMES:
            app = TunedeckApp(session, start=step, theme=theme)
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await ready(app)
                await pilot.pause()
                target = PICTURES / f"{name}-{size_name}-{theme}.svg"
                target.write_text(app.export_screenshot(title=f"tunedeck {session.workspace.name}"), encoding="utf-8")
                print(target.relative_to(ROOT), flush=True)


async def settled(_: TunedeckApp) -> None:
    """Give the threads of the screen the time that they need to bring what they read."""
    await asyncio.sleep(3.0)


async def duplicates(app: TunedeckApp) -> None:
    """Go to the duplicates screen, search where nothing was searched yet, and stand on a near-duplicate."""
    from tui.data.screen import DataScreen
    from tui.duplicates.screen import DuplicatesScreen

    await settled(app)
    data = app.screen
    assert isinstance(data, DataScreen)
    assert data.dataset is not None
    data.dataset.action_duplicates()
    await settled(app)
    screen = app.screen
    assert isinstance(screen, DuplicatesScreen)
    if screen.found is None:
        screen.search.action_search()
        await until(lambda: screen.found is not None)
    assert screen.found is not None
    screen.found.action_step(2)
    await settled(app)


async def main() -> int:
    """Start the demo's run, draw every screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    # A folder whose name says nothing of the machine: paths are in the pictures.
    workspace = Path(tempfile.gettempdir()) / "tunedeck" / "support-desk"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(SAMPLE_DATA, workspace)
    recipe_file = workspace / "recipe.yaml"
    try:
        recipe = load(recipe_file)

        def session(run: Path | None = None) -> Session:
            data = tuple(Path(path) for path in recipe.data.train)
            held_out = tuple(Path(path) for path in recipe.data.eval)
            return Session(workspace, data, held_out, recipe_path=recipe_file, run=run)

        await draw("data", session(), "data", settled)
        await draw("duplicates", session(), "data", duplicates)
        await draw("recipe", session(), "recipe", settled)
        folder: JobFolder = start_run(recipe, workspace)
        await until(lambda: (standing(folder).status.step or 0) >= 60 or standing(folder).over)
        await draw("train", session(folder.path), "train", settled)
        await until(lambda: standing(folder).over)
        for step in ("evaluate", "export", "runs"):
            await draw(step, session(folder.path), step, settled)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
