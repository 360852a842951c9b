"""The checks before a run starts: each is one line, ok, warn or stop. No torch.

A line is one row of `core.runs.preflight.table.LINES`: its name, its heading, and a function that looks at a
`core.runs.preflight.seen.BeforeStart` and yields what it found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.gpu.nvml import DriverVersion
from core.gpu.readings import GpuSample
from core.recipe.mapped import with_mapping
from core.recipe.recipe import Recipe
from core.runs.placement import placement_of
from core.runs.preflight.line import CheckResult, PreflightCheck
from core.runs.preflight.seen import BeforeStart
from core.runs.preflight.table import LINES

if TYPE_CHECKING:
    from core.dataset.view.view import CuratedView

__all__ = ["CheckResult", "PreflightCheck", "preflight", "stops"]


def preflight(
    recipe: Recipe,
    workspace: Path,
    *,
    gpus: Sequence[GpuSample] = (),
    gpu_problem: str = "",
    driver: DriverVersion | None = None,
    wait: bool = True,
    later: bool = False,
    view: CuratedView | None = None,
) -> list[PreflightCheck]:
    """Every check of a recipe, in the order a reader needs them. Takes about ten milliseconds and opens the data.

    Where there is a GPU, torch is asked once whether it can use it, which takes seconds.

    Args:
        recipe: with absolute paths.
        workspace: where `runs/` will lie.
        gpus: what `GpuReader.read` says now; empty where there is none.
        gpu_problem: its sentence on why there is none.
        driver: NVIDIA's, None where it does not say its version.
        wait: whether to wait for answers that take seconds; else a line says that they are on their way.
        later: whether the run will wait in a queue, see `core.runs.precision.choose_precision`.
        view: the training set, where it is built already.
    """
    recipe = with_mapping(recipe, workspace)
    place = placement_of(recipe, gpus, driver, problem=gpu_problem, wait=wait)
    seen = BeforeStart(recipe, workspace, place, gpus, gpu_problem, wait=wait, later=later, view=view)
    found = [
        PreflightCheck(line.name, each.verdict, each.sentence, each.path, each.brief)
        for line in LINES
        for each in line.check(seen)
    ]
    return _once_each(found)


def _once_each(found: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    """One sentence for a field whose value is wrong: what else cannot be done with it is no news.

    A field of files may have several, each about another file.
    """
    stopped = {check.path for check in stops(found) if check.path}
    wrong = {check.path for check in stops(found) if check.name == "recipe" and check.path}
    return [
        check
        for check in found
        if not (check.name == "recipe" and check.verdict == "warn" and check.path in stopped)
        and (check.name == "recipe" or check.verdict == "ok" or check.path not in wrong)
    ]


def stops(checks: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    """The checks that keep the run from starting."""
    return [check for check in checks if check.verdict == "stop"]
