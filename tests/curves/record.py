"""Records the curves by training the tiny base: `python -m tests.curves.record [tuning|held_out] [kind ...]`.

Takes a few seconds a run on one core, one run at a time.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.dataset.view.plan import build_view
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.schedule import schedule_of
from tests.curves import HELD_OUT, KEPT, TUNING
from tests.curves.cases import Case, Row, cases
from tests.curves.truth import shows
from tests.kit.training_runs import lines, work
from tests.kit.warm.process import WarmPython, warm_python

SETS = {TUNING.name: (TUNING, 1_000, 14, 1_100, 3), HELD_OUT.name: (HELD_OUT, 5_000, 20, 9_100, 3)}
"""Folder, first seed of good runs, their number, first seed of spoiled runs, and the number of each kind."""

TRIES = 8
"""Seeds that are tried for a run that shows what it was spoiled for."""

MAY_FAIL = ("not_finite", "diverging")
"""Kinds whose runs may end before their last step: the worker stops at the first number that is none."""

DIGITS = 6
BASE = {
    "model.path": str(SAMPLE_DATA / "tiny_base"),
    "data.max_length": 192,
    "training.batch_size": 4,
    "training.gradient_accumulation": 1,
    "training.activation_checkpointing": False,
    "training.save_every": 0.0,
    "training.warmup": 0.05,
    "training.eval_batch_size": 20,
    "training.cpu_threads": 1,
    "training.devices": "cpu",
    "evaluation.after_training": False,
    "lora.dropout": 0.0,
}


CURVES = {"loss", "eval_loss", "grad_norm"}


def recipe_of(case: Case) -> Recipe:
    """The recipe of a run."""
    recipe = Recipe(name=case.kind)
    for path, value in {**BASE, **case.changes}.items():
        recipe = put(recipe, path, value)
    return recipe


def record(case: Case, train: list[Row], held_out: list[Row], warm: WarmPython, parent: Path) -> dict[str, Any]:
    """Trains one run to its end; its metrics and recipe."""
    train, held_out = case.spoil(train, held_out[:30], case.random)
    recipe = recipe_of(case)
    folder = JobFolder.create(parent, case.kind, "training", payload={"recipe": to_json(recipe)})
    folder.data.mkdir()
    for name, rows in (("train", train), ("eval", held_out)):
        (folder.data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = work(warm, "core.training", folder.path)
    if done.returncode and case.kind not in MAY_FAIL:
        raise SystemExit(f"{case.kind} {case.number} ended with {done.returncode}: {done.stderr[-2_000:]}")
    plain = to_json(recipe)
    plain["model"]["path"] = "tiny_base"
    return {
        "kind": case.kind,
        "number": case.number,
        "steps": schedule_of(recipe, len(train)).steps,
        "recipe": {name: plain[name] for name in ("method", "model", "lora", "training", "data")},
        "records": [_kept(entry) for entry in lines(folder.metrics) if CURVES & entry.keys()],
    }


def _tried(case: Case, train: list[Row], held_out: list[Row], warm: WarmPython, parent: Path) -> dict[str, Any]:
    for attempt in range(TRIES):
        seed = case.changes["training.seed"] + 10_000 * attempt
        recorded = record(replace(case, changes={**case.changes, "training.seed": seed}), train, held_out, warm, parent)
        if shows(case.kind, recorded["records"]):
            return recorded
        print(f"{case.kind} {case.number} of seed {seed} does not show it", flush=True)
    raise SystemExit(f"{case.kind} {case.number} shows it from none of {TRIES} seeds: spoil it more")


def _kept(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(f"{entry[key]:.{DIGITS}g}") if isinstance(entry[key], float) else entry[key]
        for key in KEPT
        if key in entry
    }


def main(argv: Sequence[str]) -> int:
    """Records the sets and kinds that are named, by default all."""
    chosen = [name for name in SETS if name in argv] or list(SETS)
    kinds = set(argv) - set(SETS)
    with tempfile.TemporaryDirectory() as temporary, warm_python() as warm:
        parent = Path(temporary)
        view = build_view(
            parent, paths=[SAMPLE_DATA / "support_train.jsonl"], eval_paths=[SAMPLE_DATA / "support_eval.jsonl"]
        )
        train, held_out = lines(view.train), lines(view.eval)
        for name in chosen:
            folder, *seeds = SETS[name]
            folder.mkdir(exist_ok=True)
            found: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for case in cases(*seeds):
                if kinds and case.kind not in kinds:
                    continue
                began = time.monotonic()
                recorded = _tried(case, train, held_out, warm, parent)
                found[case.kind].append(recorded)
                _write(folder / f"{case.kind}.jsonl.gz", found[case.kind])
                last = recorded["records"][-1]
                print(f"{name} {case.kind} {case.number}: {time.monotonic() - began:.1f} s, {last}", flush=True)
    return 0


def _write(file: Path, recordings: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(recording, separators=(",", ":")) + "\n" for recording in recordings)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
