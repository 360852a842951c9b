"""The demo without a terminal: what it prints, and that the tuned model has learnt the house style."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from core.runs.scores import read_comparison
from sample_data.style import in_house_style
from tests.kit.walk import ENV, TUNEDECK
from tests.kit.warm.process import WarmPython


@pytest.fixture
def demo(tmp_path: Path, warm: WarmPython) -> subprocess.CompletedProcess[str]:
    """The demo's whole walk, headless."""
    return subprocess.run(
        [*TUNEDECK, "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **ENV},
        timeout=400,
    )


def test_the_demo_teaches_the_house_style_and_says_so(demo: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert demo.returncode == 0, demo.stderr
    for promised in ("252 rows", "exact duplicate", "eval loss", "base", "tuned", "adapter: "):
        assert promised in demo.stdout
    (run,) = (tmp_path / "runs").iterdir()
    assert f"{run / 'adapter'}" in demo.stdout

    comparison = read_comparison(run)
    assert comparison is not None
    assert len(comparison.answers) == 20
    assert sum(in_house_style(answer.tuned) for answer in comparison.answers) >= 16
    assert not any(in_house_style(answer.base) for answer in comparison.answers)

    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").open() if '"loss"' in line]
    assert comparison.base_loss is not None
    assert comparison.tuned_loss is not None
    assert comparison.base_loss > 4.5
    assert comparison.tuned_loss < 1.5
    assert losses[0] > 4.5
    assert sum(losses[-5:]) / 5 < 1.5
