"""The line about kernels: whether device and packages can do what the recipe sets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from core.clean import clean_line
from core.jobs.launch import worker_python
from core.recipe.recipe import KNOBS
from core.recipe.rules import kernels as rules
from core.recipe.worker_packages import installed
from core.runs.preflight.line import PreflightFinding, stop
from core.runs.preflight.seen import BeforeStart

_COMPILERS = ("cc", "gcc", "clang")


def kernels(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What cannot be done where the run would compute, one line each; nothing where all can."""
    recipe = seen.recipe
    if seen.place.cpu:
        for problem in rules.on_a_cpu(recipe):
            yield stop(problem.sentence, problem.path, problem.brief)
        return
    wanted = list(rules.packages(recipe))
    if wanted:
        found = installed([module for _, module, _ in wanted])
        for (path, module, package), there in zip(wanted, found, strict=True):
            if not there:
                words = f"{KNOBS[path].title} needs the package {package} ({module}), which is not installed where the "
                python = clean_line(worker_python(), 200)
                yield stop(
                    f"{words}training runs. Install it with `{python} -m pip install {package}`, or set this to "
                    f"{KNOBS[path].format(KNOBS[path].default)}.",
                    path,
                    "not installed",
                )
    compiles = recipe.training.compile != "none" or recipe.model.attention == "flex_attention"
    if compiles and not os.environ.get("CC") and not any(map(shutil.which, _COMPILERS)):
        path = "training.compile" if recipe.training.compile != "none" else "model.attention"
        words = f"{KNOBS[path].title} needs a C compiler, and this machine has none. Install gcc, or set this to "
        yield stop(f"{words}{KNOBS[path].format(KNOBS[path].default)}.", path, "no C compiler")
    if seen.place.device == "cuda_fp16" and recipe.training.tf32:
        yield stop("TF32 needs an Ampere GPU or newer. Set this to no.", "training.tf32", "needs Ampere")
