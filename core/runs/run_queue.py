"""The process that starts the queued runs of a workspace: `python -m core.runs.run_queue WORKSPACE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from core.jobs import queue_runner
from core.jobs.folder import JobFolder
from core.runs.commands import commands_of, own_recipe
from core.runs.origin import keep_origin, origin_of, started


def main(argv: Sequence[str]) -> int:
    """The runner, see `core.jobs.queue_runner.main`."""
    return queue_runner.main(argv, commands_when_due)


def commands_when_due(folder: JobFolder) -> tuple[list[list[str]], dict[str, str]]:
    """The commands of a run whose turn has come; the weights that it starts from are put into its folder.

    Raises:
        BadInput: as `core.runs.commands.commands_of`; or there are no such weights (any more).
    """
    recipe = own_recipe(folder)
    if recipe.starts_from and started(folder.path) is None:
        origin = origin_of(recipe, folder.path.parents[1])
        assert origin is not None, "the recipe names one"
        keep_origin(origin, folder.path, recipe)
    return commands_of(folder, recipe)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
