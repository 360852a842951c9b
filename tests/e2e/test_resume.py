"""A run that ended early goes on as if it never had, to the last bit; what does not fit or is not whole is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import launch, worker_command
from core.jobs.runs import run_info
from core.jobs.state import standing
from core.recipe.recipe import put
from core.runs.artifacts import adapter_words, read_adapter
from core.runs.checkpoint import last_good
from core.runs.resume import plan_resume, resume_run
from core.runs.saved import Weights
from core.units import significant
from core.verdict.notify import facts_of
from tests.kit.training_runs import events, lines, make_run, recipe, talk
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython
from tui import cli
from tui.live.run import LiveRun
from tui.train.words import state_lines

_STEPS = 12
_RUN: dict[str, Any] = {
    "lora__dropout": 0.1,
    "training__batch_size": 4,
    "training__gradient_accumulation": 2,
    "training__max_steps": _STEPS,
    "training__eval_every": 5.0,
    "training__warmup": 0.1,
    "evaluation__after_training": False,
}
_SAMPLES = [talk(number) for number in range(24)]
"""Four epochs of three steps, so that a run is stopped inside of an epoch and samples are dealt anew after that."""
_WHEN = ("t", "tokens_per_second", "eta_seconds")


def make(parent: Path, **changes: Any) -> JobFolder:
    """The folder of such a run."""
    return make_run(parent, _SAMPLES, **{**_RUN, **changes})


def run_to_end(folder: JobFolder, module: str = "core.training", **variables: str) -> JobFolder:
    """Starts a stage as `launch` does and waits for its end."""
    launch(folder, [worker_command(module, folder)], env=variables)
    until(lambda: standing(folder).over, "the run ends", 120)
    return folder


def go_on(folder: JobFolder) -> JobFolder:
    """Resumes a run and waits for its end."""
    resume_run(folder, plan_resume(folder))
    until(lambda: standing(folder).over, "the resumed run ends", 120)
    assert folder.read_status().state == "finished", folder.log.read_text()[-2000:]
    return folder


def logged(folder: JobFolder) -> dict[tuple[int, str], dict[str, Any]]:
    """The lines of metrics that stand, by step and kind: what was logged after a checkpoint gives way to the new."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for line in lines(folder.metrics):
        kind = next((name for name in ("loss", "eval_loss") if name in line), "")
        if kind:
            key = (line["step"], kind)
            found[key] = {k: v for k, v in line.items() if k not in _WHEN and not k.endswith(("runtime", "per_second"))}
    return found


@pytest.fixture(scope="module")
def straight(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., JobFolder]:
    """Makes runs that were never interrupted, each kind once."""
    made: dict[str, JobFolder] = {}

    def of(**changes: Any) -> JobFolder:
        name = json.dumps(changes, sort_keys=True)
        if name not in made:
            with pytest.MonkeyPatch.context() as patch:
                for variable, value in warm_python.environment.items():
                    patch.setenv(variable, value)
                made[name] = run_to_end(make(tmp_path_factory.mktemp("straight"), **changes))
            assert made[name].read_status().state == "finished"
        return made[name]

    return of


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="lora"),
        pytest.param(
            {"training__log_every": 5, "training__group_by_length": True},
            id="sparse log and grouped",
            marks=pytest.mark.slow,
        ),
        pytest.param({"model__quantization": "nf4"}, id="nf4", marks=pytest.mark.slow),
        pytest.param({"method": "full", "training__learning_rate": 1e-3}, id="full", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bits(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder], changes: dict[str, Any]
) -> None:
    folder = make(tmp_path, **changes, training__save_every=8.0)
    # With a line every fifth step: lines at 5 and 10, so that the checkpoint falls between two.
    at = "10" if "training__log_every" in changes else "9"
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT=at, DISTURB_BY="kill")
    assert folder.read_status().state == "failed"
    plan = plan_resume(folder)
    assert plan.step == 8
    assert plan.checkpoint is not None
    assert plan.checkpoint.position == 2 * 8
    go_on(folder)
    whole = logged(straight(**changes))
    assert len(whole) > 4
    assert (_STEPS, "loss") in whole, "the last steps, also where their number is no multiple of log_every"
    assert logged(folder) == whole
    (summary,) = events(folder, "summary")
    (other,) = events(straight(**changes), "summary")
    assert [summary[key] for key in ("steps", "loss", "eval_loss_first", "eval_loss")] == [
        other[key] for key in ("steps", "loss", "eval_loss_first", "eval_loss")
    ]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(5, id="with an evaluation due"),
        pytest.param(3, id="at the end of an epoch", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder], step: int
) -> None:
    folder = make(tmp_path, training__save_every=0.0)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT=str(step), DISTURB_BY="stop")
    assert folder.read_status().state == "stopped"
    stopped_at = plan_resume(folder).step
    assert step <= stopped_at < _STEPS
    assert (folder.adapter / "adapter_model.safetensors").exists()
    go_on(folder)
    assert logged(folder) == logged(straight())
    reported = events(folder, "resume")[0]
    assert reported["step"] == stopped_at
    assert f"step {stopped_at} of {_STEPS}, loss " in reported["message"]
    assert "learning rate" in reported["message"]


def test_an_adapter_that_is_older_than_its_run_has_its_own_step_and_figures_beside_it(
    warm: WarmPython, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped at 624, resumed, and stopped at once at 843: the eval loss of 800 stood beside the adapter of 624."""
    folder = make(tmp_path / "runs", training__save_every=0.0, training__eval_every=3.0)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="4", DISTURB_BY="stop")
    assert folder.read_status().state == "stopped"
    checkpoint = plan_resume(folder).checkpoint
    assert checkpoint is not None
    stopped_at = checkpoint.step
    assert stopped_at in (4, 5), "before the next evaluation"
    payload = {**folder.read_job()["payload"], "resume": checkpoint.path.name}
    launch(
        folder,
        [worker_command("tests.kit.disturbed_training", folder)],
        env={"DISTURB_AT": "8", "DISTURB_BY": "stop-now"},
        payload=payload,
    )
    until(lambda: standing(folder).over, "the resumed run ends", 120)
    assert folder.read_status().state == "stopped"
    weights = "adapter_model.safetensors"
    assert (folder.adapter / weights).read_bytes() == (checkpoint.path / weights).read_bytes()

    found, went_on_to = logged(folder), run_info(folder).step
    assert went_on_to is not None
    assert went_on_to >= 8
    assert (6, "eval_loss") in found, "an evaluation that the adapter is older than"
    eval_loss = found[(3, "eval_loss")]["eval_loss"]
    adapter = read_adapter(folder.path)
    assert adapter is not None
    assert adapter.weights == Weights(
        step=stopped_at,
        saved_at_step=stopped_at,
        of=_STEPS,
        value=found[(stopped_at, "loss")]["loss"],
        eval_value=eval_loss,
        eval_step=3,
        eval_first=found[(0, "eval_loss")]["eval_loss"],
    )
    own = f"step {stopped_at} of {_STEPS}, eval loss {significant(eval_loss, 4)} at step 3"
    words = f"{own}; the run continued to step {went_on_to} without saving"
    assert adapter_words(adapter, went_on_to).endswith(f", {words}")
    run = LiveRun()
    run.add(Follower(folder).poll(max_records=10_000, max_seconds=10.0))
    said = ["".join(text for text, _ in line) for line in state_lines(run, folder.path, tmp_path)]
    assert any(line.endswith(f"runs/{folder.id}/adapter, {words}") for line in said)
    assert f"- Weights: {own}\n" in (folder.adapter / "README.md").read_text()
    (summary,) = events(folder, "summary")
    assert [summary[key] for key in ("saved_step", "eval_loss", "eval_step")] == [stopped_at, eval_loss, 3]
    assert facts_of(folder)["adapter_step"] == stopped_at
    assert facts_of(folder)["adapter_eval_loss"] == eval_loss
    assert cli.main(["runs", "--json", "--workspace", str(tmp_path)]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["eval_loss"] == found[(6, "eval_loss")]["eval_loss"]
    assert (listed["adapter"]["step"], listed["adapter"]["eval_loss"]) == (stopped_at, eval_loss)
    assert cli.main(["runs", "--workspace", str(tmp_path)]) == 0
    assert f"adapter from step {stopped_at}" in capsys.readouterr().out


_SPARSE: dict[str, Any] = {"training__log_every": 5, "training__group_by_length": True}


@pytest.mark.parametrize(
    ("name", "step", "changes"),
    [
        pytest.param("stop", 3, {}, id="stop in the first step of an epoch"),
        pytest.param("stop", 4, {}, id="stop", marks=pytest.mark.slow),
        pytest.param("save", 7, _SPARSE, id="save", marks=pytest.mark.slow),
    ],
)
def test_between_two_batches_of_a_step_the_last_whole_step_is_saved_to_the_same_bits(
    warm: WarmPython,
    tmp_path: Path,
    straight: Callable[..., JobFolder],
    name: str,
    step: int,
    changes: dict[str, Any],
) -> None:
    folder = make(tmp_path, **changes, training__save_every=0.0)
    variables = {"DISTURB_AT": str(step), "DISTURB_GATE": "batch"}
    launch(folder, [worker_command("tests.kit.disturbed_training", folder)], env=variables)
    until((folder.path / "reached").exists, "the first batch of the step", 60)
    requests.ask(folder, name)
    until(lambda: events(folder, "request"), "it is received while the batch is computed")
    (folder.path / "open").touch()
    until(lambda: standing(folder).over, "the run ends", 120)
    assert [event["answer"] for event in events(folder, "request")] == ["received", "done"]
    (checkpoint,) = events(folder, "checkpoint")
    assert checkpoint["step"] == step
    if name == "save":
        assert logged(folder) == logged(straight(**changes))
        folder.write_status(state="failed")
    assert plan_resume(folder).step == step
    go_on(folder)
    assert logged(folder) == logged(straight(**changes))


def test_a_checkpoint_that_is_not_whole_is_passed_over(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder]
) -> None:
    folder = make(tmp_path, training__save_every=2.0, training__keep_checkpoints=4)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="7", DISTURB_BY="kill")
    (folder.checkpoints / "checkpoint-7").mkdir()
    optimizer = folder.checkpoints / "checkpoint-6" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    (folder.checkpoints / "checkpoint-4" / "trainer_state.json").write_text("")
    plan = plan_resume(folder)
    assert plan.step == 2
    assert len(plan.passed) == 3
    assert "no readable tunedeck.json" in plan.passed[0]
    assert "it is incomplete (optimizer.pt)" in plan.passed[1]
    assert "checkpoint-4: it is incomplete (trainer_state.json)" in plan.passed[2]
    go_on(folder)
    assert logged(folder) == logged(straight())
    assert [event["message"] for event in events(folder, "alert")] == list(plan.passed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt"])
def test_a_checkpoint_that_is_damaged_is_named_and_passed_over(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder], name: str
) -> None:
    folder = make(tmp_path, training__save_every=2.0)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="5", DISTURB_BY="kill")
    file = folder.checkpoints / "checkpoint-4" / name
    damaged = bytearray(file.read_bytes())
    damaged[:64] = bytes(64)
    file.write_bytes(damaged)
    plan = plan_resume(folder)
    assert plan.step == 2
    assert "checkpoint-4" in plan.passed[0]
    assert name in plan.passed[0]
    go_on(folder)
    assert [event["message"] for event in events(folder, "alert")] == list(plan.passed)
    assert logged(folder) == logged(straight())


def test_a_run_that_is_killed_before_its_first_checkpoint_starts_again(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder]
) -> None:
    folder = make(tmp_path, training__save_every=100.0)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="3", DISTURB_BY="kill")
    assert folder.read_status().state == "failed"
    assert plan_resume(folder).checkpoint is None
    go_on(folder)
    assert [event["step"] for event in events(folder, "resume")] == [0]
    assert logged(folder) == logged(straight())


def test_a_recipe_that_does_not_fit_is_refused_with_the_fields_that_differ(warm: WarmPython, tmp_path: Path) -> None:
    folder = make(tmp_path, training__max_steps=3)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="2", DISTURB_BY="stop")
    changes = {**_RUN, "training__max_steps": 3}
    other = recipe(**{**changes, "training__learning_rate": 1e-3, "lora__rank": 4, "training__eval_every": 9.0})
    with pytest.raises(BadInput) as refused:
        plan_resume(folder, other)
    assert "lora.rank is 4 and was 8" in str(refused.value)
    assert "training.learning_rate is 1e-3 and was 0.01" in str(refused.value)
    assert "eval_every" not in str(refused.value)
    halved = recipe(**{**changes, "training__batch_size": 2, "training__gradient_accumulation": 4})
    assert plan_resume(folder, halved).step >= 2
    with pytest.raises(BadInput, match="is 4 and was 8"):
        plan_resume(folder, put(halved, "training.gradient_accumulation", 2))


def test_a_run_that_is_active_or_finished_or_has_no_data_is_not_resumed(warm: WarmPython, tmp_path: Path) -> None:
    folder = make(tmp_path, training__max_steps=2, training__save_every=0.0)
    run_to_end(folder)
    with pytest.raises(BadInput, match="finished"):
        plan_resume(folder)
    folder.write_status(state="failed")
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    assert (plan_resume(folder).checkpoint, plan_resume(folder).step) == (None, 0)
    (folder.data / "train.jsonl").unlink()
    with pytest.raises(BadInput, match=r"train\.jsonl"):
        plan_resume(folder)


def test_a_run_that_had_trained_to_its_end_is_only_saved_again(
    warm: WarmPython, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(tmp_path, training__max_steps=4)
    run_to_end(folder)
    adapter = folder.adapter / "adapter_model.safetensors"
    before, steps = adapter.read_bytes(), len(lines(folder.metrics))
    folder.write_status(state="failed")
    shutil.rmtree(folder.adapter)
    assert cli.main(["resume", str(folder.path)]) == 0
    shown = capsys.readouterr().out
    assert "Saving the weights" in shown
    assert shown.count("Loading libraries") == 1, "what was reported before is not reported again"
    assert "step      4" not in shown
    assert adapter.read_bytes() == before
    assert len(lines(folder.metrics)) == steps


def test_memory_that_is_short_halves_the_batch_and_goes_on(
    warm: WarmPython, tmp_path: Path, straight: Callable[..., JobFolder]
) -> None:
    folder = make(tmp_path, training__save_every=4.0, training__eval_batch_size=2)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="6", DISTURB_MEMORY="2")
    assert folder.read_status().state == "finished", folder.log.read_text()[-2000:]
    (reported,) = events(folder, "oom")
    assert (reported["batch_size"], reported["gradient_accumulation"]) == (2, 4)
    assert "same effective batch" in reported["message"]
    (resumed,) = events(folder, "resume")
    assert resumed["step"] == 4
    found, whole = logged(folder), logged(straight())
    assert [key for key in found if key[1] == "loss"] == [key for key in whole if key[1] == "loss"]
    for key in found:
        assert found[key][key[1]] == pytest.approx(whole[key][key[1]], rel=0.1)  # the dropout falls otherwise
    assert found[(_STEPS, "loss")]["num_tokens"] == whole[(_STEPS, "loss")]["num_tokens"]
    checkpoint, _ = last_good(folder.checkpoints)
    assert checkpoint is not None
    assert checkpoint.recipe.training.batch_size == 2


def test_memory_that_is_short_for_one_sample_ends_with_what_would_make_it_fit(warm: WarmPython, tmp_path: Path) -> None:
    folder = make(tmp_path, training__save_every=2.0, training__eval_batch_size=1)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT="3", DISTURB_MEMORY="-1")
    assert folder.read_status().state == "failed"
    assert [event["batch_size"] for event in events(folder, "oom")] == [2, 1, 1]
    assert "gradient checkpointing; quantization nf4; a max length below 128" in folder.read_status().message
