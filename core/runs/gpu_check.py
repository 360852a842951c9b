"""A check of a real GPU, or of what a CPU can show: runs, forecast, readings, memory, resume, speed. Under 8 minutes.

Real runs of a small model in a folder of their own, beside the plain TRL script of the same recipe. No network and no
data but the sample data. Each check is one line of `CHECKS`; on a machine without a GPU those that need one are
skipped, by name. No torch here: the runs are processes.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

from core import units
from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from core.gpu.nvml import read_gpus
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, worker_python
from core.jobs.state import standing
from core.paths import SAMPLE_DATA
from core.recipe.memory import forecast
from core.recipe.model_files import DEMO
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import LOSS
from core.recipe.values import Value
from core.runs.commands import script_command
from core.runs.resume import plan_resume, resume_run
from core.runs.start import start_run

LIMIT = 480.0
"""Seconds that the whole check may take; no check begins later than `_LAST` before it."""

_LAST = 60.0
_LOOK = 0.2
"""Seconds between two looks at a run."""

_PATIENCE = 240.0
"""Seconds that one run may take."""

_NEAR = 0.15
"""How far a forecast may be from the measured peak."""

_SPEED = 0.9
"""The share of the plain script's speed that a run must reach."""

CheckState = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class GpuCheckResult:
    """A line of the table.

    Attributes:
        name: of the check.
        state: how it ended.
        words: what was measured, or why it failed or was skipped.
        figures: the numbers, for JSON.
    """

    name: str
    state: CheckState
    words: str
    figures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The line of `doctor --gpu --json`."""
        return {"name": self.name, "state": self.state, "words": self.words, **self.figures}


class CheckFailed(Exception):
    """A check found something else than it should."""


@dataclass(frozen=True, slots=True)
class GpuCheck:
    """One check.

    Attributes:
        name: what the table calls it.
        meaning: what it shows, a sentence for the docs.
        gpu: whether it needs an NVIDIA GPU.
        measure: does it; gives words and figures.
    """

    name: str
    meaning: str
    gpu: bool
    measure: Callable[[GpuBench], tuple[str, dict[str, float]]]


class GpuBench:
    """The folder, the model and the runs of a check; each run is made once and shared.

    Args:
        folder: an empty one; `runs/` will be in it.
        gpu: whether to use a GPU.
    """

    def __init__(self, folder: Path, *, gpu: bool) -> None:
        self.folder, self.gpu = folder, gpu
        self.device = "0" if gpu else "cpu"
        self._runs: dict[str, JobFolder] = {}
        self._readings: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
        self._unread = ""
        self.model = DEMO
        self._write_rows()
        if gpu:
            self.model = folder / "model"
            self.command("core.engine.check_model", str(self.model))

    def _write_rows(self) -> None:
        """Conversations of the sample data, on a GPU several in one; and pairs of answers."""
        talks = []
        for line in (SAMPLE_DATA / "support_train.jsonl").read_text(encoding="utf-8").splitlines():
            try:
                turns = json.loads(line)["messages"]
            except (ValueError, KeyError, TypeError):
                continue  # the sample data has rows that are broken on purpose
            turns = [each for each in turns if each.get("role") in ("user", "assistant") and each.get("content")]
            if [each["role"] for each in turns] == ["user", "assistant"]:
                talks.append(turns)
        many = 10 if self.gpu else 1
        rows = [
            {"messages": [turn for k in range(many) for turn in talks[(n + k) % len(talks)]]} for n in range(len(talks))
        ]
        pairs = [
            {"prompt": talk[:1], "chosen": talk[1:], "rejected": [{"role": "assistant", "content": "No idea."}]}
            for talk in talks
        ]
        for name, found in (("talks", rows), ("pairs", pairs)):
            text = "".join(json.dumps(row) + "\n" for row in found)
            (self.folder / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def recipe(self, name: str, rows: str = "talks", **changes: Value) -> Recipe:
        """The recipe of a run on `talks` or `pairs`; in a change `__` stands for the dot."""
        steps = 16 if self.gpu else 4
        values: dict[str, Value] = {
            "model.path": str(self.model),
            "data.train": (str(self.folder / f"{rows}.jsonl"),),
            "data.eval_fraction": 0.0,
            "data.drop_flags": (),
            "data.max_length": 1_024 if self.gpu else 64,
            "lora.rank": 16 if self.gpu else 4,
            "lora.alpha": 32.0 if self.gpu else 8.0,
            "training.max_steps": steps,
            "training.batch_size": 8 if self.gpu else 2,
            "training.gradient_accumulation": 1,
            "training.learning_rate": 1e-3 if self.gpu else 1e-2,
            "training.warmup": 0.0,
            "training.log_every": 1,
            "training.eval_every": 0.0,
            "training.save_every": 0.0,
            "training.devices": self.device,
            "training.cpu_threads": 0 if self.gpu else 1,
            "samples.every": 0.0,
            "evaluation.after_training": False,
        }
        found = Recipe(name=name)
        for path, value in {**values, **{key.replace("__", "."): value for key, value in changes.items()}}.items():
            found = put(found, path, value)
        return found

    def run(self, name: str, rows: str = "talks", *, watch: bool = False, **changes: Value) -> JobFolder:
        """The finished run of a name, started where there is none yet.

        Args:
            name: of the run; the same name is the same run.
            rows: what it trains on.
            watch: whether to read the GPU's processes meanwhile, for `readings`.
            changes: of the recipe.

        Raises:
            CheckFailed: it did not finish.
        """
        if name not in self._runs:
            folder = start_run(self.recipe(name, rows, **changes), self.folder)
            self.wait(folder, "finished", self._watcher(name, folder) if watch else None)
            self._runs[name] = folder
        return self._runs[name]

    def start(self, name: str, **changes: Value) -> JobFolder:
        """Starts a run and does not wait."""
        return start_run(self.recipe(name, "talks", **changes), self.folder)

    def wait(self, folder: JobFolder, state: str, look: Callable[[], None] | None = None) -> None:
        """Waits until a run has ended that way.

        Raises:
            CheckFailed: it ended otherwise, or takes too long.
        """
        until = time.monotonic() + _PATIENCE
        while not (now := standing(folder)).over:
            if time.monotonic() > until:
                requests.ask(folder, requests.STOP_NOW)
                raise CheckFailed(f"The run {folder.id} took longer than {units.duration(_PATIENCE)}.")
            if look is not None:
                look()
            time.sleep(_LOOK)
        if now.state != state:
            raise CheckFailed(clean_line(f"The run {folder.id} is {now.state}, not {state}: {now.detail}", 600))

    def _watcher(self, name: str, folder: JobFolder) -> Callable[[], None]:
        """Reads who holds GPU memory, by pynvml and by nvidia-smi, once the run has made a few steps."""

        def look() -> None:
            if name not in self._readings and len(losses(folder)) >= 3:
                try:
                    first, shown, last = _by_nvml(), _by_smi(), _by_nvml()
                except CheckFailed as fault:
                    self._unread = str(fault)
                    return
                if first == last:  # else it has just taken more
                    self._readings[name] = (last, shown)

        return look

    def readings(self, name: str) -> tuple[dict[int, int], dict[int, int]]:
        """Bytes by pid during a run, as pynvml and as nvidia-smi say.

        Raises:
            CheckFailed: nothing was read.
        """
        if name not in self._readings:
            raise CheckFailed(self._unread or "The driver did not report steady memory for the run's processes.")
        return self._readings[name]

    def command(self, module: str, *arguments: str) -> str:
        """Runs a module of ours in the interpreter that trains; its output.

        Raises:
            CheckFailed: it failed; with its last line.
        """
        done = subprocess.run(
            [worker_python(), "-m", module, *arguments],
            env=clean_environment({"CUDA_VISIBLE_DEVICES": "0" if self.gpu else "", "HF_HUB_OFFLINE": "1"}),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise CheckFailed(clean_line(next(iter(done.stderr.strip().splitlines()[-1:]), module), 600))
        return done.stdout

    def plain(self, name: str) -> list[dict[str, Any]]:
        """What the plain TRL script of a run logs, timed; it trains the same rows.

        Raises:
            CheckFailed: the script cannot be written or run.
        """
        place = self.folder / f"plain-{name}"
        if not place.exists():
            place.mkdir()
            recipe = JobFolder(self._runs[name].path).read_job()["payload"]["recipe"]
            (place / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
            command, _ = script_command(place / "recipe.json", self._runs[name].data)
            (place / "train.py").write_text(self.command(*command[2:]), encoding="utf-8")
            self.command("core.engine.timed_script", str(place / "train.py"), str(place / "logged.jsonl"))
        return _lines(place / "logged.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    except OSError:
        return []


def losses(folder: JobFolder) -> dict[int, float]:
    """The train loss of each step; of steps that were made twice the last."""
    return {line["step"]: line[LOSS] for line in _lines(folder.metrics) if LOSS in line}


def _peak(folder: JobFolder) -> float:
    found = [event["peak_memory"] for event in _lines(folder.events) if event.get("peak_memory")]
    if not found:
        raise CheckFailed("The run did not report its peak memory.")
    return float(found[-1])


def _by_nvml() -> dict[int, int]:
    return {pid: size for gpu in read_gpus().gpus for pid, size in gpu.processes or () if size is not None}


def _by_smi() -> dict[int, int]:
    try:
        said = subprocess.run(
            ["nvidia-smi", "--query-compute-apps=pid,used_gpu_memory", "--format=csv,noheader,nounits"],
            capture_output=True,
            encoding="utf-8",
            timeout=20,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise CheckFailed(f"nvidia-smi did not answer: {clean_line(str(error), 200)}") from error
    pairs = (line.split(",") for line in said.splitlines() if line.count(",") == 1)
    return {int(pid): int(size) * 2**20 for pid, size in pairs if size.strip().isdigit()}


# --- the checks

_WATCHED = "lora"
"""The run whose readings are compared with nvidia-smi."""


def _trained(name: str, rows: str = "talks", **changes: Value) -> Callable[[GpuBench], tuple[str, dict[str, float]]]:
    """A run whose loss falls, and whose peak is what was forecast."""

    def measure(bench: GpuBench) -> tuple[str, dict[str, float]]:
        folder = bench.run(name, rows, watch=bench.gpu and name == _WATCHED, **changes)
        found = losses(folder)
        first, last = found[min(found)], found[max(found)]
        if not last < first:
            raise CheckFailed(f"The loss did not fall: {first:.3f} at the start, {last:.3f} at the end.")
        words, figures = f"loss {first:.3f} to {last:.3f}", {"first_loss": first, "last_loss": last}
        if not bench.gpu:
            return words, figures
        recipe = bench.recipe(name, rows, **changes)
        need = forecast(recipe, read_shape(recipe.model.path), "cuda")
        expected, peak = need.total - need.context, _peak(folder)
        off = expected / peak - 1
        figures |= {"forecast_bytes": expected, "peak_bytes": peak, "forecast_error": off}
        words += f"; forecast {units.gib(expected)}, max_memory_reserved {units.gib(peak)} ({off:+.0%})"
        if abs(off) > _NEAR:
            raise CheckFailed(f"The forecast is off by more than {_NEAR:.0%}: {words}.")
        return words, figures

    return measure


def _pid_memory(bench: GpuBench) -> tuple[str, dict[str, float]]:
    bench.run("lora", watch=True)
    nvml, smi = bench.readings("lora")
    shared = nvml.keys() & smi.keys()
    if not shared:
        raise CheckFailed(f"pynvml lists {sorted(nvml)}, nvidia-smi {sorted(smi)}: no process is in both.")
    worst = max(shared, key=lambda pid: abs(nvml[pid] - smi[pid]))
    words = f"pid {worst}: pynvml {units.gib(nvml[worst])}, nvidia-smi {units.gib(smi[worst])}"
    if abs(nvml[worst] - smi[worst]) > 2**20:
        raise CheckFailed(f"They differ: {words}.")
    return words, {"nvml_bytes": nvml[worst], "nvidia_smi_bytes": smi[worst]}


def _speed(bench: GpuBench) -> tuple[str, dict[str, float]]:
    """Tokens a second of a run and of the plain script, after the first steps; on a CPU the same losses as well."""
    folder = bench.run("lora" if bench.gpu else "paused")
    plain = bench.plain("lora" if bench.gpu else "paused")
    theirs = {line["step"]: line[LOSS] for line in plain if LOSS in line}
    if not bench.gpu and losses(folder) != theirs:
        raise CheckFailed("The losses of the plain TRL script are others.")
    if not bench.gpu:
        return "the losses are equal to the last bit; speed is measured on a GPU", {"steps": float(len(theirs))}
    ours = _pace(_lines(folder.metrics))
    other = _pace(plain)
    words = f"{ours:,.0f} tokens/s, the plain TRL script {other:,.0f} ({ours / other:.0%})"
    if ours < _SPEED * other:
        raise CheckFailed(f"Slower than the plain script: {words}.")
    return words, {"tokens_per_second": ours, "plain_tokens_per_second": other}


def _pace(lines: list[dict[str, Any]]) -> float:
    """The median of tokens a second over the steps after the third."""
    steps = [line for line in lines if LOSS in line and "num_tokens" in line]
    paces = [
        (after["num_tokens"] - before["num_tokens"]) / (after["t"] - before["t"])
        for before, after in pairwise(steps[2:])
        if after["t"] > before["t"]
    ]
    if not paces:
        raise CheckFailed("No step was timed.")
    return float(median(paces))


def _pause(bench: GpuBench) -> tuple[str, dict[str, float]]:
    """A run that is paused with its memory released: nothing of it stays on the GPU."""
    changes: dict[str, Value] = {"training__deterministic": True} if bench.gpu else {}
    before = _held()
    folder = bench.start("paused", **changes)
    middle = bench.recipe("paused").training.max_steps // 2
    asked = time.monotonic()
    until = asked + _PATIENCE
    while len(losses(folder)) < middle - 1 and not standing(folder).over and time.monotonic() < until:
        time.sleep(_LOOK / 10)
    requests.ask(folder, requests.STOP)
    asked = time.monotonic()
    bench.wait(folder, "stopped")
    took = time.monotonic() - asked
    plan = plan_resume(folder)
    bench._runs["stopped"] = folder
    words = f"saved at step {plan.step} and stopped in {took:.1f} s"
    figures = {"step": float(plan.step), "seconds": took}
    if bench.gpu:
        left = _held() - before
        words += f"; {units.gib(max(0, left))} more in use than before"
        figures["left_bytes"] = float(left)
        if left > 2**28:
            raise CheckFailed(f"Its GPU memory is not free: {words}.")
    return words, figures


def _held() -> int:
    return sum(gpu.memory_used or 0 for gpu in read_gpus().gpus[:1])


def _resume(bench: GpuBench) -> tuple[str, dict[str, float]]:
    """The resumed run has the losses of one that was never stopped."""
    folder = bench._runs.get("stopped")
    if folder is None:
        raise CheckFailed("There is no paused run to resume.")
    plan = plan_resume(folder)
    resume_run(folder, plan)
    bench.wait(folder, "finished")
    bench._runs["paused"] = folder
    ours = losses(folder)
    if bench.gpu:
        theirs = losses(bench.run("whole", training__deterministic=True))
    else:
        theirs = {line["step"]: line[LOSS] for line in bench.plain("paused") if LOSS in line}
    if ours != theirs:
        step = next((step for step in sorted(theirs) if ours.get(step) != theirs[step]), 0)
        raise CheckFailed(f"From step {step} on the losses differ from those of a run that was never stopped.")
    return f"resumed at step {plan.step}; all {len(ours)} losses are equal to the last bit", {"steps": float(len(ours))}


def _out_of_memory(bench: GpuBench) -> tuple[str, dict[str, float]]:
    """A run that does not fit continues with half the batch."""
    batch = 64
    recipe = bench.recipe("short", training__batch_size=batch)
    need = forecast(recipe, read_shape(recipe.model.path), "cuda").total
    with _memory_taken(bench, int(0.6 * need)):
        folder = bench.start("short", training__batch_size=batch, training__max_steps=4)
        bench.wait(folder, "finished")
    events = [event for event in _lines(folder.events) if event.get("kind") == "oom"]
    if not events:
        raise CheckFailed("The run did not run out of memory: the retry was not tested.")
    last = events[-1]
    size, pieces = int(last["batch_size"]), int(last["gradient_accumulation"])
    if size * pieces != batch:
        raise CheckFailed(f"The effective batch is {size * pieces}, not {batch}.")
    words = f"{len(events)} time{'s' * (len(events) != 1)} out of memory; finished with {size} x {pieces} = {batch}"
    return words, {"retries": float(len(events)), "batch_size": float(size)}


@contextmanager
def _memory_taken(bench: GpuBench, left: int) -> Iterator[None]:
    """Another process holds the GPU's memory but for so many bytes."""
    holder = subprocess.Popen(
        [worker_python(), "-m", "core.engine.hold_memory", str(left)],
        env=clean_environment({"CUDA_VISIBLE_DEVICES": "0"}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert holder.stdout is not None
        if not holder.stdout.readline().strip():
            raise CheckFailed("Another process could not allocate the GPU's memory.")
        yield
    finally:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(timeout=30)


CHECKS: tuple[GpuCheck, ...] = (
    GpuCheck("bf16 LoRA", "LoRA in bfloat16: its loss falls, its peak matches the forecast.", True, _trained("lora")),
    GpuCheck("memory of the pid", "pynvml and nvidia-smi agree on the memory of the run's process.", True, _pid_memory),
    GpuCheck("NF4 QLoRA", "The same on 4-bit weights.", True, _trained("nf4", model__quantization="nf4")),
    GpuCheck(
        "full, float32 masters",
        "Every weight is trained, with float32 weights under bfloat16 autocast.",
        True,
        _trained("full", method="full", model__dtype="mixed_bfloat16", training__learning_rate=1e-4),
    ),
    GpuCheck(
        "DPO",
        "Preference pairs, against the base model.",
        True,
        _trained("dpo", "pairs", task="dpo", training__learning_rate=1e-3),
    ),
    GpuCheck("pause and release", "A run that is saved and stopped gives its memory back.", False, _pause),
    GpuCheck("resume", "A resumed run has the losses of one that was never stopped, to the last bit.", False, _resume),
    GpuCheck(
        "speed",
        "Tokens per second, against the plain TRL script of the same recipe (`tunedeck script`).",
        False,
        _speed,
    ),
    GpuCheck("out of memory", "A run that does not fit continues with half the batch.", True, _out_of_memory),
)
"""Every check, in the order of the table."""


def gpu_check(
    folder: Path, *, gpu: bool, on_result: Callable[[GpuCheckResult], None] = lambda result: None
) -> list[GpuCheckResult]:
    """Makes all checks.

    Args:
        folder: an empty one, for runs and models; about 3 GB.
        gpu: whether there is an NVIDIA GPU that torch can use; else those that need one are skipped.
        on_result: called after each.
    """
    begun = time.monotonic()
    found: list[GpuCheckResult] = []
    try:
        bench = GpuBench(folder, gpu=gpu)
    except (CheckFailed, TunedeckError, OSError) as error:
        found = [GpuCheckResult("model", "failed", str(error), {})]
        on_result(found[0])
        return found
    for check in CHECKS:
        if check.gpu and not gpu:
            result = GpuCheckResult(check.name, "skipped", "needs an NVIDIA GPU", {})
        elif time.monotonic() - begun > LIMIT - _LAST:
            result = GpuCheckResult(check.name, "skipped", f"no time left of {units.duration(LIMIT)}", {})
        else:
            result = _result(check, bench)
        found.append(result)
        on_result(result)
    return found


def _result(check: GpuCheck, bench: GpuBench) -> GpuCheckResult:
    begun = time.monotonic()
    try:
        words, figures = check.measure(bench)
    except (CheckFailed, TunedeckError, BadInput, OSError, KeyError, ValueError) as error:
        return GpuCheckResult(check.name, "failed", clean_line(str(error) or type(error).__name__, 1_000), {})
    return GpuCheckResult(check.name, "ok", f"{words}.", {**figures, "took_seconds": time.monotonic() - begun})
