"""Writes the script of each task and adapter kind, and prints what became of it: `-m tests.kit.parity.scripts DIR`.

The output is JSON: `task NAME` or `method NAME` to "" for a script that is Python, or the reason why there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """One process for all of them."""
    from core.errors import BadInput
    from core.recipe.adapters import ADAPTERS
    from core.recipe.recipe import from_json
    from core.training.script import script_of
    from tests.kit.parity.case import CHANGES, all_cases
    from tests.kit.training_runs import BASE, make_run

    cases = {str(case.changes.get("task", "sft")): case for case in reversed(all_cases().values())}
    wanted = {f"task {task}": (case, case.changes) for task, case in cases.items()}
    for adapter in ADAPTERS:
        wanted[f"method {adapter.kind}"] = (cases["sft"], {"task": "sft", "method": adapter.kind})
    found = {}
    for name, (case, changes) in wanted.items():
        models = {field.replace(".", "__"): str(BASE) for field in case.models}
        both = {**CHANGES, "training__max_steps": 4, **changes, **models}
        folder = make_run(Path(argv[0], name.replace(" ", "-")), case.train, case.held_out, **both)
        try:
            text = script_of(from_json(folder.read_job()["payload"]["recipe"]), folder.data)
        except BadInput as error:
            found[name] = str(error)
        else:
            compile(text, name, "exec")
            found[name] = ""
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
