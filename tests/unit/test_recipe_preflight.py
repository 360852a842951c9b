"""What is checked before a start, against real folders and files."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.gpu.readings import GpuSample
from core.paths import SAMPLE_DATA
from core.recipe import templates
from core.recipe.memory import Forecast
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from core.runs.memory_words import less_memory
from core.runs.preflight import PreflightCheck, preflight, stops
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
    assert [check for check in checks if check.verdict != "ok" and check.name != "workspace"] == []
    assert [check.name for check in checks if check.name != "workspace"] == [
        *("recipe", "data", "eval data", "model", "chat template"),
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
        ("model.attention", "flash_attention_2", "precision", "stop", "needs a GPU"),
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


@pytest.mark.usefixtures("cuda_torch")
def test_dpo_starts_on_pairs_alone(recipe: Recipe, tmp_path: Path) -> None:
    dpo = put(put(recipe, "task", "dpo"), "training.learning_rate", 1e-5)
    (stop,) = stops(preflight(dpo, tmp_path, gpus=[_GPU]))
    assert (stop.name, stop.path) == ("data", "data.train")
    assert "DPO trains on preference pairs" in stop.sentence
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "q", "chosen": "good", "rejected": "bad"}) + "\n")
    sound = preflight(put(dpo, "data.train", (str(pairs),)), tmp_path, gpus=[_GPU])
    assert [each.sentence for each in sound if each.verdict != "ok" and each.name != "workspace"] == []
    # Pairs need no marks: TRL tells their answers from the prompt by tokens.
    write_model(Path(recipe.model.path), template="{% for m in messages %}{{ m.content }}{% endfor %}")
    assert [check.verdict for check in found(dpo, tmp_path, "chat template")] == ["ok"]


def test_a_workspace_whose_files_do_not_last_is_warned_of(recipe: Recipe) -> None:
    (check,) = [check for check in preflight(recipe, Path("/var/tmp/mine")) if check.name == "workspace"]
    assert check.verdict == "warn"
    assert "/var/tmp/mine is in /var/tmp: many machines delete old files" in check.sentence


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
