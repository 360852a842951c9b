"""The curated view that a recipe asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.view.view import CuratedView
from core.recipe.generation import drop_flags, kept_columns
from core.recipe.recipe import Recipe
from core.recipe.special_tokens import special_tokens

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Ledger
    from core.dataset.view.plan import ViewPlan


def curate(
    recipe: Recipe,
    workspace: Path,
    *,
    decisions: Ledger | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CuratedView:
    """Builds the view, or finds it where it was built before.

    Args:
        recipe: with absolute paths, and the mapping that is kept for its data (`core.recipe.mapped.with_mapping`).
        workspace: the folder that holds `.tunedeck`.
        decisions: the user's decisions on rows; by default those of the workspace.
        on_progress: called with how much is done, and how much there is in all.
        should_stop: asked meanwhile; saying yes raises `core.dataset.scan.scan.ScanStopped`.

    Raises:
        BadInput: as `core.dataset.view.plan.build_view`.
        Stopped: `should_stop` said so.
    """
    plan = plan_of(recipe, workspace, decisions)
    return plan.find() or plan.build(on_progress, should_stop=should_stop)


def plan_of(recipe: Recipe, workspace: Path, decisions: Ledger | None = None) -> ViewPlan:
    """What goes into the view of a recipe, looked up; the arguments are those of `curate`."""
    from core.dataset.view.plan import ViewPlan  # orjson: only where data is read

    data, model = recipe.data, recipe.model
    special = special_tokens(model.path, model.revision)
    return ViewPlan(
        workspace,
        {
            "paths": data.train,
            "format": None if data.format == "auto" else data.format,
            "columns": data.columns or None,
            "eval_paths": data.eval,
            "eval_format": None if data.eval_format == "auto" else data.eval_format,
            "eval_columns": data.eval_columns or None,
            "mix": data.shares,
            "eval_fraction": data.eval_fraction,
            "split_seed": data.split_seed,
            "near": data.split_near,
            "stratify": data.stratify,
            "synthetic": data.synthetic,
            "special_tokens": (special.tokens, special.begin, special.end),
            "train_without": data.train_without,
            "drop_flags": drop_flags(recipe),
            "keep_columns": kept_columns(recipe),
            "tasks": data.row_tasks,
            "decisions": decisions,
        },
    )
