"""What is checked before a start, against real folders and files."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.dataset.audit.store import DecisionStore
from core.dataset.dataset import Dataset
from core.gpu.readings import GpuSample
from core.gpu.users import gpu_user
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA, runs_dir
from core.recipe import templates
from core.recipe.mapped import with_mapping
from core.recipe.memory import Forecast
from core.recipe.model_shape import read_shape
from core.recipe.recipe import KNOBS, Recipe, put, to_json
from core.recipe.values import Value
from core.runs.curate import curate
from core.runs.known_rows import row_keys
from core.runs.memory_words import less_memory
from core.runs.overview_job import FACTS, FOLDER, TOKENS, job_of
from core.runs.preflight import PreflightCheck, preflight, stops
from core.runs.start import resolve
from tests.kit.recipe_models import write_model
from tests.kit.training_python import python_with_torch

_GPU = GpuSample(0, name="A GPU", memory_total=80 * 2**30, memory_used=2**30)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A sound recipe: a model with a marked template and a few chat samples."""
    model = write_model(tmp_path / "model", template=templates.text("chatml"))
    data = tmp_path / "train.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]}
        for n in range(5)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = put(put(Recipe(), "model.path", str(model)), "data.train", (str(data),))
    made = put(put(made, "lora.rank", 4), "lora.alpha", 8.0)
    return put(made, "data.max_length", 64)


@pytest.fixture
def cuda_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training runs in an interpreter whose torch was built with CUDA."""
    (tmp_path / "cuda").mkdir()
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path / "cuda"))


def found(recipe: Recipe, workspace: Path, name: str, gpus: tuple[GpuSample, ...] = (_GPU,)) -> list[PreflightCheck]:
    return [check for check in preflight(recipe, workspace, gpus=gpus) if check.name == name]


@pytest.mark.usefixtures("cuda_torch")
def test_a_sound_recipe_passes_every_check(recipe: Recipe, tmp_path: Path) -> None:
    checks = preflight(recipe, tmp_path, gpus=[_GPU])
    assert [check for check in checks if check.verdict != "ok" and check.name not in ("workspace", "audit")] == []
    assert [check.name for check in checks if check.name not in ("workspace", "arguments")] == [
        *("recipe", "data", "eval data", "audit", "model", "targets", "chat template", "trained tokens", "steps"),
        *("packages", "device", "memory", "disk"),
    ]
    assert all(check.sentence.endswith(".") for check in checks)


@pytest.mark.parametrize(
    ("path", "value", "name", "verdict", "words"),
    [
        ("data.train", ("/none/x.jsonl",), "data", "stop", "/none/x.jsonl"),
        ("model.path", "/none/model", "model", "stop", "There is no such folder"),
        ("model.path", "gGg", "model", "stop", "org/name"),
        ("model.path", "distilgpt2", "model", "warn", "not on this machine yet"),
        ("model.path", "org/not-here", "model", "warn", "not on this machine yet"),
        ("data.eval_fraction", 0.0, "recipe", "warn", "No eval set"),
        ("lora.targets", ("query",), "recipe", "stop", "no layer named query"),
        ("model.chat_template", "/none.jinja", "chat template", "stop", "There is no such chat template"),
        ("reporting.report_to", ("mlflow",), "trackers", "stop", "mlflow is not installed where the training runs"),
        ("reporting.at_end", "notify-send done", "allowed", "warn", "notify-send done"),
        ("model.trust_remote_code", True, "allowed", "warn", "Python code"),
        ("training.devices", "3", "device", "stop", "There is no GPU 3; this machine has 0."),
        ("training.devices", "cpu", "device", "ok", "Trains on the CPU."),
        ("model.attention", "flash_attention_2", "kernels", "stop", "needs a GPU"),
    ],
)
def test_what_is_wrong_is_said(
    recipe: Recipe, tmp_path: Path, path: str, value: Value, name: str, verdict: str, words: str
) -> None:
    checks = [check for check in found(put(recipe, path, value), tmp_path, name) if check.verdict == verdict]
    assert len(checks) == 1
    assert words in checks[0].sentence


def test_an_empty_file_and_an_unknown_shape_stop_the_start(recipe: Recipe, tmp_path: Path) -> None:
    for content in ("", '{"foo": 1}\n{"foo": 2}\n'):
        (tmp_path / "odd.jsonl").write_text(content)
        odd = put(recipe, "data.train", (str(tmp_path / "odd.jsonl"),))
        assert [check.verdict for check in found(odd, tmp_path, "data")] == ["stop"]


def test_templates_that_mark_no_answers_are_seen_before_the_start(recipe: Recipe, tmp_path: Path) -> None:
    chatml = templates.text("chatml").replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
    write_model(Path(recipe.model.path), template=chatml)
    assert "chatml" in found(recipe, tmp_path, "chat template")[0].sentence
    write_model(Path(recipe.model.path), template="{% for m in messages %}{{ m.content }}{% endfor %}")
    assert found(recipe, tmp_path, "chat template")[0].verdict == "warn"
    whole = put(recipe, "data.loss_on", "everything")
    assert found(whole, tmp_path, "chat template")[0].verdict == "ok"
    write_model(Path(recipe.model.path))
    assert found(recipe, tmp_path, "chat template")[0].verdict == "stop"
    assert [check for check in found(recipe, tmp_path, "recipe") if check.path == "model.chat_template"] == []


def test_plain_text_needs_no_template(recipe: Recipe, tmp_path: Path) -> None:
    write_model(Path(recipe.model.path))
    (tmp_path / "t.jsonl").write_text('{"text": "once upon a time"}\n{"text": "there was a model"}\n')
    assert found(put(recipe, "data.train", (str(tmp_path / "t.jsonl"),)), tmp_path, "chat template") == []


@pytest.mark.usefixtures("cuda_torch")
def test_memory_is_held_against_what_is_free_on_the_chosen_gpu(recipe: Recipe, tmp_path: Path) -> None:
    full = GpuSample(1, memory_total=80 * 2**30, memory_used=80 * 2**30 - 1)
    unknown = GpuSample(0)
    assert found(recipe, tmp_path, "memory", (_GPU, full))[0].verdict == "ok"
    assert found(put(recipe, "training.devices", "1"), tmp_path, "memory", (_GPU, full))[0].verdict == "warn"
    assert "unknown" in found(recipe, tmp_path, "memory", (unknown,))[0].sentence
    assert "of RAM" in found(recipe, tmp_path, "memory", ())[0].sentence


@pytest.mark.usefixtures("cuda_torch")
def test_what_needs_less_memory_is_what_takes_the_most_of_it(recipe: Recipe, tmp_path: Path) -> None:
    full = (GpuSample(0, memory_total=80 * 2**30, memory_used=80 * 2**30 - 1),)
    long = put(put(recipe, "data.max_length", 1_000_000), "training.batch_size", 8)
    (check,) = found(long, tmp_path, "memory", full)
    assert check.sentence.startswith("Does not fit: needs about ")
    assert "Activations take the most memory. Use a smaller batch" in check.sentence
    assert "nf4" not in check.sentence
    assert check.path == "training.batch_size"
    single = put(long, "training.batch_size", 1)
    assert found(single, tmp_path, "memory", full)[0].path == "data.max_length"
    shape = read_shape(recipe.model.path)
    need = Forecast(weights=9, adapter=1, gradients=1, optimizer=1, activations=1, head=1, context=1)
    assert less_memory(recipe, shape, need, "cuda") == (
        "The weights take the most memory. Use nf4 quantization, or a smaller model.",
        "model.quantization",
    )
    assert "nf4" not in less_memory(recipe, shape, need, "cpu")[0]
    assert "nf4" not in less_memory(recipe, replace(shape, quantized="gptq"), need, "cuda")[0]
    assert less_memory(put(recipe, "method", "full"), shape, need, "cuda")[1] == "method"


def test_without_a_gpu_the_cpu_is_announced_and_a_named_gpu_stops(recipe: Recipe, tmp_path: Path) -> None:
    check = preflight(recipe, tmp_path, gpu_problem="There is no driver.")
    assert (
        PreflightCheck(
            "device", "warn", "No GPU found: the run would train on the CPU. There is no driver.", "training.devices"
        )
        in check
    )
    assert [one.name for one in stops(preflight(put(recipe, "training.devices", "0"), tmp_path))] == ["device"]


def test_a_gpu_that_torch_cannot_use_is_none(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to train on GPU 1, and trained on the CPU."""
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path, "2.13.0+cpu", cuda=None))
    gpus = (_GPU, GpuSample(1, name="A GPU"))
    named = put(recipe, "training.devices", "1")
    (check,) = found(named, tmp_path, "device", gpus)
    assert (check.verdict, check.path) == ("stop", "training.devices")
    assert check.sentence.startswith("torch 2.13.0+cpu is built without CUDA and cannot use GPU 1. Install a torch")
    (check,) = found(recipe, tmp_path, "device", gpus)
    assert check.verdict == "warn"
    assert check.sentence.endswith("cannot use GPU 0: the run would train on the CPU.")
    assert found(put(recipe, "training.devices", "cpu"), tmp_path, "device", gpus)[0].verdict == "ok"
    assert "of RAM" in found(recipe, tmp_path, "memory", gpus)[0].sentence


def test_checkpoints_that_do_not_fit_the_disk_stop_the_start(recipe: Recipe, tmp_path: Path) -> None:
    huge = put(recipe, "training.keep_checkpoints", 10**12)
    assert found(huge, tmp_path / "not" / "made", "disk")[0].verdict == "stop"


def test_another_interpreters_packages_are_not_judged_by_ours(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", "/opt/train/bin/python")
    assert "/opt/train/bin/python" in found(recipe, tmp_path, "packages")[0].sentence
    monkeypatch.setenv("TUNEDECK_PYTHON", sys.executable)
    assert "/opt/train" not in found(recipe, tmp_path, "packages")[0].sentence


def test_what_supervised_training_will_not_use_of_a_data_set_is_said(recipe: Recipe, tmp_path: Path) -> None:
    """A preference set trained as SFT without a word."""
    pairs = tmp_path / "pairs.jsonl"
    row = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    pairs.write_text(json.dumps(row) + "\n")
    said = found(put(recipe, "data.train", (str(pairs),)), tmp_path, "data")
    assert [check.verdict for check in said] == ["ok", "warn"]
    assert "ignores the rejected ones" in said[1].sentence
    assert "dpo" in said[1].sentence


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lora.exclude": ("down_proj",)}, "18 of 21"),
        ({"lora.layers": ("last 1",)}, "7 of 21"),
        ({"method": "ia3"}, "9 of 21"),
        ({"method": "ln_tuning"}, "input_layernorm"),
    ],
)
def test_targets_are_counted_as_they_will_be_adapted(values: dict[str, Value], words: str, tmp_path: Path) -> None:
    recipe = put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))
    for path, value in values.items():
        recipe = put(recipe, path, value)
    (said,) = found(recipe, tmp_path, "targets")
    assert words in said.sentence


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        ("model=1; model=nope", "no reward model nope"),
        ("model=1; model=BASE", "no score layer"),
        ("python=1; file=FILE; function=other", "it has score"),
        ("json_schema=1; file=FILE", "not a JSON schema"),
        ("exact_match=1", "Name a column"),
    ],
)
def test_a_reward_that_cannot_score_is_a_stop(reward: str, words: str, tmp_path: Path) -> None:
    file, data = tmp_path / "score.py", tmp_path / "text.jsonl"
    file.write_text("LIMIT = 3\ndef score(completions, **_):\n    return [0.0 for _ in completions]\n")
    data.write_text("".join(json.dumps({"text": f"word {n}"}) + "\n" for n in range(20)))
    text = reward.replace("FILE", str(file)).replace("BASE", str(SAMPLE_DATA / "tiny_base"))
    recipe = put(put(Recipe(), "task", "grpo"), "data.train", (str(data),))
    parsed = KNOBS["rewards"].parse(text)
    assert isinstance(parsed, tuple)
    (said,) = found(put(recipe, "rewards", parsed), tmp_path, "rewards")
    assert (said.verdict, said.path) == ("stop", "rewards")
    assert words in said.sentence
    named = put(recipe, "rewards", KNOBS["rewards"].parse(f"python=1; file={file}; function=score"))
    assert [each.verdict for each in found(named, tmp_path, "rewards")] == ["ok"]


def test_a_reward_model_can_be_named_as_its_run(tmp_path: Path) -> None:
    run = runs_dir(tmp_path) / "2026-01-01-120000-taste"
    (run / "adapter").mkdir(parents=True)
    (run / "job.json").write_text(json.dumps({"id": run.name, "kind": "train"}))
    (run / "adapter" / "adapter_config.json").write_text(json.dumps({"task_type": "SEQ_CLS"}))
    recipe = put(put(Recipe(), "task", "rloo"), "rewards", KNOBS["rewards"].parse("model=1; model=taste"))
    resolved = resolve(recipe, tmp_path)
    assert resolved.rewards[0].model == str(run)
    assert [each.verdict for each in found(resolved, tmp_path, "rewards")] == ["ok"]


def test_a_token_to_train_has_to_be_one(tmp_path: Path) -> None:
    recipe = put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))
    (said,) = found(put(recipe, "lora.trained_tokens", ("<|im_start|>", "zzqqzz")), tmp_path, "tokenizer")
    assert (said.verdict, said.path) == ("stop", "lora.trained_tokens")
    assert "zzqqzz" in said.sentence
    assert not found(put(recipe, "lora.trained_tokens", ("<|im_start|>",)), tmp_path, "tokenizer")


def test_fields_are_judged_by_the_counted_samples(recipe: Recipe, tmp_path: Path) -> None:
    data = tmp_path / "few.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"q{n}", "completion": f"a{n}"}) + "\n" for n in range(20)))
    few = put(put(recipe, "data.train", (str(data),)), "training.warmup", 1_000.0)
    view = curate(few, tmp_path)
    (said,) = [each for each in preflight(few, tmp_path, view=view) if each.path == "training.warmup"]
    assert said.verdict == "stop"


@pytest.mark.usefixtures("cuda_torch")
def test_dpo_starts_on_pairs_alone(recipe: Recipe, tmp_path: Path) -> None:
    dpo = put(put(recipe, "task", "dpo"), "training.learning_rate", 1e-5)
    (stop,) = stops(preflight(dpo, tmp_path, gpus=[_GPU]))
    assert (stop.name, stop.path) == ("data", "data.train")
    assert "dpo trains on preference pairs" in stop.sentence
    assert "sft" in stop.sentence.partition("Choose")[2]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "q", "chosen": "good", "rejected": "bad"}) + "\n")
    sound = preflight(put(dpo, "data.train", (str(pairs),)), tmp_path, gpus=[_GPU])
    assert [each.sentence for each in sound if each.verdict != "ok" and each.name not in ("workspace", "audit")] == []
    # Pairs need no marks: TRL tells their answers from the prompt by tokens.
    write_model(Path(recipe.model.path), template="{% for m in messages %}{{ m.content }}{% endfor %}")
    assert [check.verdict for check in found(dpo, tmp_path, "chat template")] == ["ok"]


def test_a_workspace_whose_files_do_not_last_is_warned_of(recipe: Recipe) -> None:
    (check,) = [check for check in preflight(recipe, Path("/var/tmp/mine")) if check.name == "workspace"]
    assert check.verdict == "warn"
    assert "/var/tmp/mine is in /var/tmp: many machines delete old files" in check.sentence


@pytest.mark.usefixtures("cuda_torch")
@pytest.mark.parametrize(
    ("path", "value", "package"),
    [
        ("training.liger", True, "liger-kernel"),
        ("model.attention", "flash_attention_2", "flash-attn"),
        ("model.attention", "flash_attention_3", "flash_attn_3"),
    ],
)
def test_a_kernel_needs_its_package_where_the_training_runs_and_a_gpu(
    recipe: Recipe, tmp_path: Path, path: str, value: Value, package: str
) -> None:
    changed = put(recipe, path, value)
    (check,) = found(changed, tmp_path, "kernels")
    assert (check.verdict, check.path) == ("stop", path)
    assert f"pip install {package}" in check.sentence
    (check,) = found(changed, tmp_path, "kernels", gpus=())
    assert (check.verdict, check.path) == ("stop", path)
    assert "GPU" in check.sentence


def test_without_a_chat_template_prompts_and_completions_are_joined_and_chats_are_counted(
    recipe: Recipe, tmp_path: Path
) -> None:
    plain = put(recipe, "model.chat_template", templates.NO_TEMPLATE)
    data = Path(recipe.data.train[0])

    def line(*rows: dict[str, object]) -> tuple[str, str]:
        data.write_text("".join(json.dumps(row) + "\n" for row in rows * 3))
        (check,) = found(plain, tmp_path, "chat template")
        return check.verdict, check.sentence

    good = {"prompt": "Q: why?\nA:", "completion": " because"}
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    assert line(good)[0] == "ok"
    verdict, words = line(good, {"prompt": "Say hello", "completion": "Hi"})
    assert (verdict, "3 of 6" in words, "Say helloHi" in words) == ("warn", True, True)
    verdict, words = line({"messages": chat * 2})
    assert (verdict, "3 turns" in words, "chatml" in words) == ("stop", True, True)
    untemplated = put(recipe, "model.path", str(write_model(tmp_path / "untemplated", template="")))
    data.write_text("".join(json.dumps(row) + "\n" for row in [good] * 3))
    (check,) = found(untemplated, tmp_path, "chat template")
    assert (check.verdict, check.sentence.index("none") < check.sentence.index("chatml")) == ("stop", True)
    problems = [check for check in found(put(plain, "task", "dpo"), tmp_path, "recipe") if check.verdict == "stop"]
    assert any(check.path == "model.chat_template" and "sft" in check.sentence for check in problems)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config.json", {"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ("config.json", {"num_attention_heads": -4}, "num_attention_heads is -4"),
        ("config.json", {"quantization_config": {"load_in_4bit": True}}, "Remove quantization_config"),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}, "WordPiece"),
        ("tokenizer_config.json", {"tokenizer_class": "T5TokenizerFast"}, "Unigram"),
    ],
)
def test_files_of_a_model_that_would_crash_the_worker_are_stops(
    recipe: Recipe, tmp_path: Path, file: str, change: dict[str, object], words: str
) -> None:
    """Each was a traceback after the libraries had loaded."""
    model = tmp_path / "odd"
    shutil.copytree(SAMPLE_DATA / "tiny_base", model)
    said = json.loads((model / file).read_text())
    (model / file).write_text(json.dumps({**said, **change}))
    sound = put(recipe, "model.path", str(SAMPLE_DATA / "tiny_base"))
    assert stops(preflight(sound, tmp_path)) == []
    (found,) = stops(preflight(put(recipe, "model.path", str(model)), tmp_path))
    assert found.path == "model.path"
    assert words in found.sentence


def _facts(recipe: Recipe, workspace: Path, tokens: dict[str, Any] | None, **facts: Any) -> None:
    """Writes what an overview of the recipe has found."""
    job = job_of(workspace, with_mapping(recipe, workspace))
    job.keep(lambda made: _written(made.path / FOLDER, {"samples": {"train": 90, "eval": 10}, **facts}, tokens))


def _written(folder: Path, facts: dict[str, Any], tokens: dict[str, Any] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACTS).write_text(json.dumps(facts))
    if tokens:
        (folder / TOKENS).write_text(json.dumps({"tokens": {"max_length": 64, "train": tokens, "eval": _NO_LOSS}}))


_TOKENS = {"samples": 90, "tokens": 36_000, "trained": 9_000, "cut": 0, "without": 0, "longest": 60}
_NO_LOSS = {**_TOKENS, "not_rendered": 0, "not_rendered_rows": [], "context_lost": 0, "control": 0}


def test_counted_tokens_tell_steps_duration_and_cost(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = put(put(recipe, "training.batch_size", 3), "training.gradient_accumulation", 1)
    assert "not counted" in found(recipe, tmp_path, "trained tokens")[0].sentence
    assert found(recipe, tmp_path, "steps")[0].sentence.startswith("About ")
    assert found(recipe, tmp_path, "duration") == [], "nothing is made up"
    _facts(recipe, tmp_path, {**_NO_LOSS})
    assert "9,000 of 36,000 tokens" in found(recipe, tmp_path, "trained tokens")[0].sentence
    epochs = recipe.training.epochs
    assert found(recipe, tmp_path, "steps")[0].sentence.startswith(f"{30 * epochs:g} steps: 90 samples")
    assert found(recipe, tmp_path, "duration") == []
    run = JobFolder.create(tmp_path / "runs", "before", "training", payload={"recipe": to_json(recipe)})
    run.append_metric({"step": 1, "tokens_per_second": 10.0 * epochs})
    assert "1 h" in found(recipe, tmp_path, "duration")[0].sentence.replace("1:00:00", "1 h")
    (tmp_path / "tunedeck").mkdir()
    (tmp_path / "tunedeck" / "settings.toml").write_text('price_per_hour = 2.5\ncurrency = "EUR"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "About 2.50 EUR" in found(recipe, tmp_path, "duration")[0].sentence


def test_no_trained_token_is_a_stop_and_rows_that_are_cut_a_warning(recipe: Recipe, tmp_path: Path) -> None:
    _facts(recipe, tmp_path, {**_NO_LOSS, "trained": 0, "cut": 90, "without": 90})
    (line,) = found(recipe, tmp_path, "trained tokens")
    assert (line.verdict, line.path) == ("stop", "data.max_length")
    other = put(recipe, "data.max_length", 32)
    _facts(other, tmp_path, {**_NO_LOSS, "cut": 12, "without": 2})
    (line,) = found(other, tmp_path, "trained tokens")
    assert (line.verdict, line.path) == ("warn", "data.max_length")
    assert "12 of 90 samples" in line.sentence
    assert "2 have no trained token" in line.sentence


def test_leaks_that_an_overview_found_and_an_audit_are_said(recipe: Recipe, tmp_path: Path) -> None:
    assert found(recipe, tmp_path, "leaks") == []
    (line,) = found(recipe, tmp_path, "audit")
    assert (line.verdict, line.path) == ("warn", ""), "no value of a field is wrong"
    leaks = {"split": {"leaks": {"exact": 2}}, "near_leaks": [{"row": 3}]}
    _facts(put(recipe, "data.drop_flags", ()), tmp_path, None, **leaks)
    (line,) = found(put(recipe, "data.drop_flags", ()), tmp_path, "leaks")
    assert (line.verdict, line.path) == ("warn", "data.drop_flags")
    assert "2 identical and 1 similar" in line.sentence
    store = DecisionStore(tmp_path)
    dataset = Dataset.open([recipe.data.train[0]])
    store.decide(sorted(row_keys(dataset) or ())[0], "keep").result()
    store.decide("of another dataset", "keep").result()
    store.close()
    (line,) = found(recipe, tmp_path, "audit")
    assert (line.verdict, line.sentence) == ("ok", "1 of 5 rows have been reviewed.")


@pytest.mark.usefixtures("cuda_torch")
def test_a_busy_gpu_says_by_whom(recipe: Recipe, tmp_path: Path) -> None:
    free = replace(_GPU, processes=())
    assert found(recipe, tmp_path, "gpu use", (free,))[0].verdict == "ok"
    assert found(recipe, tmp_path, "gpu use", (_GPU,)) == [], "the driver does not tell"
    busy = replace(_GPU, processes=((os.getpid(), 3 * 2**30), (2**22 + 1, None)))
    (line,) = found(recipe, tmp_path, "gpu use", (busy,))
    assert (line.verdict, line.path) == ("warn", "training.devices")
    assert f"pid {os.getpid()} ({gpu_user(os.getpid()).user}, " in line.sentence
    assert "holds 3.00 GiB" in line.sentence
    assert f"pid {2**22 + 1}." in line.sentence, "a process of another container has no name here"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("<|im_end|>\n{%- endgeneration %}", "{%- endgeneration %}<|im_end|>\n"), "never stop"),
        (("<|im_start|>assistant\n' }}", "<|im_start|>assistant\n<think>' }}"), "<think>"),
    ],
)
def test_a_template_is_held_against_what_a_server_will_do(
    recipe: Recipe, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    template = _OWN
    assert [line.verdict for line in found(recipe, tmp_path, "chat template")] == ["ok"]
    changed = template.replace(*change)
    assert changed != template
    shutil.copytree(SAMPLE_DATA / "tiny_base", tmp_path / "odd")
    (tmp_path / "odd" / "chat_template.jinja").write_text(changed)
    lines = found(put(recipe, "model.path", str(tmp_path / "odd")), tmp_path, "chat template")
    assert [line.verdict for line in lines] == ["warn", "ok"]
    assert words in lines[0].sentence
    assert lines[0].path == "model.chat_template"


_OWN = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}<|im_end|>\n{%- endgeneration %}{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_labels_are_counted_before_the_start_and_the_weight_that_helps_is_named(recipe: Recipe, tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {n}?", "completion": f"Answer {n}.", "label": n % 4 > 0} for n in range(40)]
    data = tmp_path / "rated.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changed = put(put(recipe, "data.train", (str(data),)), "data.eval", ())
    assert found(changed, tmp_path, "labels") == []
    rated = put(put(changed, "task", "kto"), "training.batch_size", 4)
    (unequal,) = found(rated, tmp_path, "labels")
    assert unequal.verdict == "warn"
    assert "30 good and 10 bad" in unequal.sentence
    assert unequal.path == "kto.undesirable_weight"
    (equal,) = found(put(rated, "kto.undesirable_weight", 2.5), tmp_path, "labels")
    assert equal.verdict == "ok"
    single = found(put(rated, "training.batch_size", 1), tmp_path, "recipe")
    assert any(line.path == "training.batch_size" and line.verdict == "stop" for line in single)
