"""Runs both sides of a case and compares them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.paths import ROOT
from core.runs.resume import plan_resume, resume_run
from tests.kit.parity.case import CHANGES, SHORT, Case
from tests.kit.training_runs import BASE, events, lines, make_run, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

_VARIES = ("t", "tokens_per_second", "eta_seconds", "weights_changed", "step_time")
"""Measured in time, or only by us."""

Line = Mapping[str, Any]


class Sides:
    """Both sides of a case, in a folder.

    Args:
        case: the case.
        work: an empty folder.
        steps: to train.
        warm: the process that workers are forked from; None for fresh processes, as users start them.
        changes: of our recipe, beyond those of the case.
    """

    def __init__(self, case: Case, work: Path, steps: int, warm: WarmPython | None, **changes: Any) -> None:
        self.case = case
        self.work = work
        self.steps = steps
        self._warm = warm
        models = {"model.path": str(BASE)}
        for field, module in case.models.items():
            models[field] = str(work / field)
            self._run(module, models[field])
        given = {"models": models, "train": case.train, "held_out": case.held_out}
        (work / "given.json").write_text(json.dumps(given))
        named = {field.replace(".", "__"): path for field, path in models.items()}
        both = {**CHANGES, "training__max_steps": steps, **case.changes, **named, **changes}
        self.folder = make_run(work / "ours", case.train, case.held_out, **both)

    def train_with_a_stop(self, command: Sequence[str] | None = None) -> None:
        """Trains our side: it is stopped in the middle, and resumed."""
        middle = self.steps // 2
        environment = {"DISTURB_AT": str(middle), "DISTURB_BY": "stop", **self.case.disturbed}
        if command is None and self._warm is None:
            begin = "import sys; from tests.kit.disturbed_training import main; sys.exit(main(sys.argv[1:]))"
            command = [sys.executable, "-c", begin, str(self.folder.path)]
            environment["PYTHONPATH"] = str(ROOT)
        disturbed = worker_command("tests.kit.disturbed_training", self.folder)
        launch(self.folder, [list(command or disturbed)], env=environment)
        self.ended("stopped")
        plan = plan_resume(self.folder)
        assert plan.step == middle
        resume_run(self.folder, plan)

    def ended(self, state: str) -> None:
        """Waits until our run has ended that way."""
        until(lambda: standing(self.folder).over, "the run ends", 300)
        assert standing(self.folder).state == state, self.folder.log.read_text()[-3000:]

    def train_plain(self, launcher: Sequence[str] = ()) -> None:
        """Runs the plain script; `launcher` stands before it, such as torchrun."""
        if launcher:
            self._fresh([*launcher, "-m", "tests.kit.parity.plain", *self._plain_arguments])
        else:
            self._run("tests.kit.parity.plain", *self._plain_arguments)

    @property
    def _plain_arguments(self) -> list[str]:
        return [self.case.name, str(self.work), str(self.steps)]

    @property
    def plain(self) -> dict[str, Any]:
        """What the plain script has written."""
        found: dict[str, Any] = json.loads((self.work / "plain.json").read_text())
        return found

    def assert_equal_metrics(self) -> None:
        """Every logged loss and metric is the same, bit for bit, and the model learns."""
        case, plain = self.case, self.plain["logged"]
        ours, theirs = logged(lines(self.folder.metrics), case.varies), logged(plain, case.varies)
        every = int((self.folder.read_job()["payload"]["recipe"]["training"])["eval_every"])
        evaluations = sorted({*range(0, self.steps, every), self.steps}) if every else []
        assert [step for step, kind in theirs if kind == "loss"] == list(range(1, self.steps + 1))
        assert [step for step, kind in theirs if kind == "eval_loss"] == evaluations
        assert set(case.logged) <= theirs[(1, "loss")].keys()
        if evaluations:
            assert set(case.eval_logged) <= theirs[(0, "eval_loss")].keys()
        assert list(ours) == list(theirs)
        unlike = {
            (*place, name): (ours[place].get(name), line.get(name))
            for place, line in theirs.items()
            for name in {**line, **ours[place]}
            if ours[place].get(name) != line.get(name)
        }
        assert not unlike, f"ours and theirs: {unlike}"
        losses = [line["loss"] for (_, kind), line in theirs.items() if kind == "loss"]
        assert not case.falls or losses[-1] < losses[0], "the model learns"

    def assert_equal_tokens(self) -> None:
        """The mask view and the token counts are those of the trainer's own dataset, row by row."""
        out, theirs = self.work / "ours.json", self.plain["tokens"]
        self._run("tests.kit.parity.ours", str(self.folder.path), str(out))
        ours = json.loads(out.read_text())
        if not self.case.ordered:
            theirs = sorted(theirs)
            pairs = sorted(zip(ours["samples"], ours["counts"], strict=True))
            ours = {"samples": [sample for sample, _ in pairs], "counts": [count for _, count in pairs]}
        assert ours["samples"] == theirs
        counts = [
            [sum(len(ids) for ids, _ in row), sum(sum(mask[1:]) for _, mask in row)] for row in theirs
        ]  # a first token is never predicted
        assert ours["counts"] == counts
        data = events(self.folder, "data")[-1]
        whole = [sum(column) for column in zip(*counts, strict=True)]
        assert [data["samples"], data["tokens"], data["trained_tokens"]] == [len(theirs), *whole]

    def assert_equal_script(self) -> None:
        """The script of `tunedeck script` names no line of ours, says that it is the same, and logs the same."""
        recipe, script, out = (self.work / name for name in ("recipe.json", "script.py", "script.json"))
        recipe.write_text(json.dumps(self.folder.read_job()["payload"]["recipe"]))
        try:
            text = self._run("core.training.script", str(recipe), str(self.folder.data))
        except AssertionError as fault:
            if "No plain TRL script" not in str(fault):
                raise
            return  # the task or the adapter kind has none, and says so
        notes = [line for line in text.splitlines() if line.startswith("# - ")]
        assert not [note for note in notes if "keep_best" not in note], text  # the best weights change no loss
        assert not re.search(r"^\s*(from|import) (core|tui|tests)", text, re.MULTILINE)
        script.write_text(text)
        self._run("tests.kit.parity.script", str(script), str(out))
        ours, theirs = (
            logged(found, self.case.varies) for found in (lines(self.folder.metrics), json.loads(out.read_text()))
        )
        assert list(ours) == list(theirs)
        for place, line in theirs.items():
            assert {**ours[place], "epoch": 0} == {**line, "epoch": 0}, place

    def _run(self, module: str, *arguments: str) -> str:
        if self._warm is None:
            return self._fresh([sys.executable, "-m", module, *arguments])
        done = work(self._warm, module, *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def _fresh(self, command: Sequence[str]) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


def compare(case: Case, folder: Path, warm: WarmPython | None, steps: int = SHORT, **changes: Any) -> Sides:
    """Runs both sides at once, ours with a stop and a resume in the middle, and compares all of it."""
    sides = Sides(case, folder, steps, warm, **changes)
    sides.train_with_a_stop()
    sides.train_plain()  # while ours goes from the middle to its end
    sides.ended("finished")
    sides.assert_equal_metrics()
    if case.tokens:
        sides.assert_equal_tokens()
    if case.script or (warm is None and case.expressed):
        sides.assert_equal_script()
    return sides


def logged(found: Sequence[Line], varies: Sequence[str] = ()) -> dict[tuple[int, str], dict[str, Any]]:
    """Lines of metrics without what is measured in time; of those that were written twice the last."""
    kept: dict[tuple[int, str], dict[str, Any]] = {}
    for line in found:
        kind = next((name for name in ("loss", "eval_loss") if name in line), "")
        if kind:
            kept[(line["step"], kind)] = {
                key: value
                for key, value in line.items()
                if key not in _VARIES and key not in varies and not key.endswith(("runtime", "per_second"))
            }
    return kept


def train(folder: JobFolder) -> None:
    """Trains a run from its start to its end, undisturbed."""
    launch(folder, [worker_command("core.training", folder)])
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == "finished", folder.log.read_text()[-3000:]
