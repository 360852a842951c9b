"""Draws the pictures in `docs/pictures` from the real program on a real run: `make pictures` (about two minutes)."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import ROOT, SAMPLE_DATA
from core.recipe.start import start_run
from core.recipe.yamlfile import load
from tui.app import TunedeckApp
from tui.session import Session

PICTURES = ROOT / "docs" / "pictures"
RECIPE = SAMPLE_DATA / "recipe.yaml"
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


async def settled(app: TunedeckApp) -> None:
    """Wait until the workers of the screen have brought what they read."""
    await asyncio.sleep(2.0)
    await app.workers.wait_for_complete([worker for worker in app.workers if worker.group != "follow"])


async def main() -> int:
    """Start the demo's run, draw every screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name) / "support-desk"
        workspace.mkdir()
        recipe = load(RECIPE)

        def session(run: Path | None = None) -> Session:
            data = tuple(Path(path) for path in recipe.data.train)
            held_out = tuple(Path(path) for path in recipe.data.eval)
            return Session(workspace, data, held_out, recipe_path=RECIPE, run=run)

        await draw("data", session(), "data", settled)
        await draw("recipe", session(), "recipe", settled)
        folder: JobFolder = start_run(recipe, workspace)
        await until(lambda: (standing(folder).status.step or 0) >= 60 or standing(folder).over)
        await draw("train", session(folder.path), "train", settled)
        await until(lambda: standing(folder).over)
        for step in ("evaluate", "export", "runs"):
            await draw(step, session(folder.path), step, settled)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
