"""The queue as people use it: recipes queued on the command line, trained in turn, picked up after a reboot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.gpu.host import tree
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.queue import Queue
from core.jobs.state import standing
from core.recipe.recipe import put
from core.recipe.yamlfile import save
from tests.kit.killing import kill
from tests.kit.training_runs import events, lines, recipe
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython
from tui.cli import main

Printed = pytest.CaptureFixture[str]


def printed(capsys: Printed, *words: str) -> dict[str, object]:
    """What a command prints as JSON."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_queued_recipes_train_in_order_and_a_reboot_loses_no_step(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f'{{"prompt": "question {n}", "response": "answer {n}, of course"}}' for n in range(48)]
    (tmp_path / "data.jsonl").write_text("\n".join(rows) + "\n")
    wanted = put(recipe(training__devices="cpu", training__save_every=5.0), "data.train", ("data.jsonl",))
    save(put(wanted, "evaluation.after_training", False), tmp_path / "recipe.yaml")
    first = printed(capsys, "train", "recipe.yaml", "--queue", "--name", "first", "--set", "training.max_steps=50000")
    assert main(["queue", "add", "recipe.yaml", "--name", "second", "--set", "training.max_steps=3"]) == 0
    assert main(["queue", "add", "recipe.yaml", "--name", "late", "--at", "2999-01-01 00:00"]) == 0
    run = JobFolder(str(first["folder"]))
    until(lambda: list(run.checkpoints.glob("checkpoint-*/tunedeck.json")) or standing(run).over, "a checkpoint", 60)
    found = printed(capsys, "queue")
    assert found["running"] == [run.id]
    assert ["waiting for the CPU" in one["waits"] for one in found["waiting"]] == [True, False]  # type: ignore[attr-defined]
    assert "until 01 Jan" in found["waiting"][1]["waits"]  # type: ignore[index]

    runner, keeper = Queue(tmp_path).read().runner, process.from_json(run.read_job()["keeper"])
    assert runner is not None
    assert keeper is not None
    kill(runner.pid, *tree(keeper.pid))
    worker = run.read_status().worker
    until(lambda: not any(map(process.is_alive, (runner, keeper, worker))), "all of it is gone")
    for file in (tmp_path / ".tunedeck" / "queue.json", run.job, run.status):
        file.write_text(file.read_text().replace(runner.boot_id, "an-earlier-boot"))
    assert standing(run).rebooted

    capsys.readouterr()
    assert main(["queue"]) == 0
    assert "The queue resumes it from step" in capsys.readouterr().out
    until(lambda: events(run, "resume"), "it goes on from its checkpoint", 60)
    step = events(run, "resume")[0]["step"]
    assert step >= 5
    until(lambda: any(line["step"] > step for line in lines(run.metrics)[-3:]), "it trains", 60)
    assert main(["stop", run.id, "--now"]) == 0
    second = JobFolder(next((tmp_path / "runs").glob("*-second")))
    until(lambda: standing(second).state == "finished", "the next has had its turn", 60)
    assert main(["queue", "remove", "late"]) == 0
    until(lambda: not process.is_alive(Queue(tmp_path).read().runner), "the runner ends")


@pytest.mark.slow
def test_a_pipeline_survives_its_runner_and_each_run_starts_from_the_one_before(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.chdir(tmp_path)
    chats = [{"prompt": f"question {n}", "response": f"answer {n}, of course"} for n in range(40)]
    pairs = [{"prompt": f"question {n}", "chosen": f"answer {n}, of course", "rejected": "no"} for n in range(40)]
    for name, rows in (("sft", chats), ("dpo", pairs)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        changes = {"task": name, "name": name, "training__devices": "cpu", "training__learning_rate": 1e-3}
        wanted = put(recipe(**changes, training__max_steps=4), "data.train", (f"{name}.jsonl",))
        save(put(wanted, "evaluation.after_training", False), tmp_path / f"{name}.yaml")
    found = printed(capsys, "train", "sft.yaml", "dpo.yaml")
    sft, dpo = (JobFolder(tmp_path / "runs" / name) for name in found["pipeline"])  # type: ignore[attr-defined]
    until(lambda: standing(sft).state == "running", "the first run starts", 60)
    runner = Queue(tmp_path).read().runner
    assert runner is not None
    kill(runner.pid)
    until(lambda: standing(sft).over, "the first run ends without its runner", 120)
    assert standing(dpo).state == "queued"
    assert main(["queue"]) == 0
    until(lambda: standing(dpo).over, "the second run ends", 120)
    assert standing(dpo).state == "finished", dpo.log.read_text()[-2000:]
    assert [event["origin"] for event in events(dpo, "start")] == [f"{sft.id}, step 4"]
    first = next(line for line in lines(dpo.metrics) if "eval_loss" in line)
    assert first["eval_rewards/chosen"] == 0
