"""One row for each kind of trained weights: what it says is what peft does, and nobody else asks for the kind."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import BadInput
from core.paths import ROOT
from core.recipe.adapters import ADAPTERS, adapter_of
from core.recipe.consequences import consequence
from core.recipe.memory import forecast, trained_parameters
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, get, put
from core.recipe.rules.validate import validate
from core.recipe.sections.lora import RankPattern
from core.recipe.values import Value
from tests.kit.recipe_models import LLAMA_3_1_8B, TINY, shape_from


def recipe_with(**values: Value) -> Recipe:
    recipe = Recipe()
    for path, value in values.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


def test_the_methods_of_the_form_are_the_kinds_there_are() -> None:
    assert KNOBS["method"].choices == {adapter.kind: adapter.meaning for adapter in ADAPTERS}
    for adapter in ADAPTERS:
        assert adapter_of(recipe_with(method=adapter.kind)) is adapter
        assert adapter.section in ("", *SECTIONS)
        assert adapter.less_memory[1] in KNOBS
        assert adapter.rates.below < 1 < adapter.rates.above


_COUNTED: dict[str, dict[str, Value]] = {
    "plain": {},
    "dora": {"lora__variant": "dora"},
    "rslora": {"lora__variant": "rslora", "lora__targets": ("q_proj", "down_proj")},
    "head": {"lora__modules_to_save": ("lm_head",)},
    "norm": {"lora__modules_to_save": ("norm", "layers.1.mlp.down_proj"), "lora__targets": ("q_proj",)},
    "exclude": {"lora__exclude": ("down_proj", "/.*layers\\.1\\.self_attn\\.[qk]_proj/")},
    "pattern": {"lora__targets": ("/.*self_attn\\.[qv]_proj/", "up_proj")},
    "layers": {"lora__layers": ("last 1",), "lora__variant": "dora"},
    "layer": {"lora__layers": ("0",), "lora__targets": ("o_proj",)},
    "ranks": {"lora__patterns": (RankPattern("down_proj", 2), RankPattern("/.*1.*q_proj/", 7, 3.0))},
    "tied": {"lora__modules_to_save": ("embed_tokens", "lm_head"), "lora__ensure_weight_tying": True},
    "pissa": {"lora__init": "pissa"},
    "olora": {"lora__init": "olora"},
    "orthogonal": {"lora__init": "orthogonal"},
    "gaussian": {"lora__init": "gaussian"},
    "prompt": {"method": "prompt", "soft_prompt__tokens": 5, "soft_prompt__start": "random"},
    "p_tuning": {"method": "p_tuning", "soft_prompt__tokens": 5, "soft_prompt__encoder_size": 6},
    "lstm": {
        "method": "p_tuning",
        "soft_prompt__encoder": "lstm",
        "soft_prompt__encoder_size": 6,
        "soft_prompt__encoder_layers": 3,
        "soft_prompt__dropout": 0.2,
    },
    "prefix": {"method": "prefix", "soft_prompt__tokens": 5},
    "projection": {"method": "prefix", "soft_prompt__projection": True, "soft_prompt__encoder_size": 6},
    "ia3": {"method": "ia3"},
    "ia3 all": {"method": "ia3", "adapter__targets": ("all-linear",), "adapter__layers": ("1",)},
    "bottleneck": {"method": "bottleneck", "adapter__width": 3, "adapter__activation": "silu"},
    "bottleneck on": {"method": "bottleneck", "adapter__targets": ("down_proj",), "adapter__exclude": ("/.*1.*/",)},
    "hira": {"method": "hira", "adapter__rank": 3},
    "miss": {"method": "miss", "adapter__rank": 4},
    "oft": {"method": "oft", "adapter__block_size": 4},
    "boft": {"method": "boft", "adapter__block_size": 4, "adapter__targets": ("q_proj", "down_proj")},
    "vera": {"method": "vera", "adapter__rank": 5},
    "shira": {"method": "shira", "adapter__rank": 3, "adapter__targets": ("/.*mlp.*/",)},
    "norms": {"method": "ln_tuning", "adapter__layers": ("1",)},
    "all norms": {"method": "ln_tuning"},
    "last layers": {"method": "last_layers", "last_layers__count": 1},
    "with head": {"method": "last_layers", "last_layers__count": 1, "last_layers__head": True},
    "full": {"method": "full"},
}
"""Settings of each kind, of which the form's count is that of the real peft."""


def tiny_llama() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**{key: TINY[key] for key in TINY if key != "architectures"}))


@pytest.mark.parametrize("values", _COUNTED.values(), ids=_COUNTED)
def test_what_a_kind_says_of_itself_is_what_the_real_peft_does(values: dict[str, Value]) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    import peft
    from peft.tuners.lora import LoraLayer

    from core.training.configuration import adapter_config
    from core.training.effects import missing
    from core.training.targets import freeze_first_layers

    torch.set_num_threads(1)
    recipe = recipe_with(lora__rank=4, lora__alpha=6.0, **values)
    model = tiny_llama()
    config = adapter_config(recipe, model)
    freeze_first_layers(model, recipe)
    made = model if config is None else peft.get_peft_model(model, config)
    trained = sum(weight.numel() for weight in made.parameters() if weight.requires_grad)
    assert trained == trained_parameters(recipe, shape_from(TINY))
    built = SimpleNamespace(model=made, initialized=recipe.lora.init if recipe.lora.init in ("pissa", "olora") else "")
    for name in values:
        knob = KNOBS[name.replace("__", ".")]
        if knob.witness is not None:
            assert missing(knob.witness, built, recipe, get(recipe, knob.path)) is None, knob.path
    if adapter_of(recipe).section == "lora" and not recipe.lora.patterns:
        (scale,) = {module.scaling["default"] for module in made.modules() if isinstance(module, LoraLayer)}
        assert scale == recipe.lora.scale


@pytest.mark.parametrize(
    ("values", "field", "word"),
    [
        ({"lora__modules_to_save": ("head",)}, "lora.modules_to_save", "no module named 'head'"),
        ({"lora__exclude": ("no_proj",)}, "lora.exclude", "no_proj"),
        ({"lora__layers": ("7",)}, "lora.layers", "No layer is left"),
        ({"lora__patterns": (RankPattern("no_proj", 2),)}, "lora.patterns", "no_proj"),
        ({"lora__parameters": ("experts.gate_up_proj",)}, "lora.parameters", "no expert weight"),
        ({"method": "ia3", "adapter__targets": ("c_attn",)}, "adapter.targets", "no linear layer 'c_attn'"),
        ({"method": "ia3", "adapter__feedforward": ("up_proj",)}, "adapter.feedforward", "up_proj"),
        ({"method": "ln_tuning", "adapter__targets": ("q_norm",)}, "adapter.targets", "no layer 'q_norm'"),
        ({"method": "bottleneck", "adapter__targets": ("lm_head",)}, "adapter.targets", "output layer"),
    ],
)
def test_a_name_that_the_model_does_not_have_is_refused_by_the_worker(
    values: dict[str, Value], field: str, word: str
) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.configuration import adapter_config

    with pytest.raises(BadInput, match=word) as refused:
        adapter_config(recipe_with(**values), tiny_llama())
    assert refused.value.where == field
    assert field in {problem.path for problem in validate(recipe_with(**values), shape_from(TINY))}


def test_the_scale_of_plain_lora_falls_with_the_rank_and_that_of_rslora_with_its_root() -> None:
    assert recipe_with(lora__rank=16, lora__alpha=32.0).lora.scale == 2
    assert recipe_with(lora__rank=16, lora__alpha=32.0, lora__variant="rslora").lora.scale == 8
    assert "multiplied by 2." in consequence("lora.alpha", Recipe())


def test_an_adapter_takes_memory_beside_the_weights_and_whole_weights_do_not() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    found = forecast(Recipe(), shape, "cuda")
    assert found.adapter == 4 * 41_943_040
    assert forecast(recipe_with(model__quantization="nf4"), shape, "cuda").adapter == 2 * 41_943_040
    whole = forecast(recipe_with(method="full"), shape, "cuda")
    assert (whole.adapter, whole.weights) == (0, found.weights)
    assert whole.optimizer == 2 * whole.weights


@pytest.mark.parametrize(
    ("values", "quantization", "path"),
    [
        ({}, "nf4", None),
        ({}, "int8", None),
        ({"lora__variant": "dora"}, "nf4", None),
        ({"lora__variant": "dora"}, "int8", "lora.variant"),
        ({"method": "full"}, "none", None),
        ({"method": "full"}, "nf4", "model.quantization"),
    ],
)
def test_each_kind_says_over_which_quantized_weights_it_trains(
    values: dict[str, Value], quantization: str, path: str | None
) -> None:
    recipe = recipe_with(**values)
    refused = adapter_of(recipe).over_quantized(recipe, quantization)
    assert (refused.path if refused else None) == path


_ASKED = re.compile(
    r"""\.method\b
    | ["']method["']\)?\s*(==|!=|\bin\b)
    | (==|!=|\bin)\s*[\[({]?\s*["'](lora|full)["']
    | ["'](lora|full)["']\s*(==|!=)""",
    re.VERBOSE,
)
"""Code that asks which kind a recipe trains."""


def asking(line: str) -> bool:
    return bool(_ASKED.search(line)) and 'get("method") == adapter_of(' not in line


def test_nobody_but_the_rows_asks_which_kind_is_trained() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("core", "tui")
        for path in sorted(Path(ROOT, folder).rglob("*.py"))
        if path.parent != ROOT / "core" / "recipe" / "adapters"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if asking(line)
    ]
    assert found == [], "ask `adapter_of(recipe)` instead"


@pytest.mark.parametrize(
    "line", ['if recipe.method == "lora":', 'x = kind in ("lora", "dora")', 'if "full" != kind:', "m = recipe.method"]
)
def test_what_asks_for_the_kind_is_seen(line: str) -> None:
    assert asking(line)


@pytest.mark.parametrize(
    "model_type", ["llama", "gpt2", "qwen3_moe", "mixtral", "gemma3", "qwen2_5_vl", "deepseek_v3", "llama4_text"]
)
def test_what_the_list_of_families_says_is_what_real_models_and_peft_do(model_type: str) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    from core.recipe.families import families
    from tests.kit.model_families import built, counts, layout

    assert set(families()) == set(CONFIG_MAPPING_NAMES), "run `python -m tests.kit.model_families`"
    model = built(model_type)
    assert model is not None
    for name, value in layout(model).items():
        assert families()[model_type][name] == value, "run `python -m tests.kit.model_families`"
    both = counts(model)
    assert both is not None
    assert both[0] == both[1]


@pytest.mark.slow
def test_every_family_is_counted_as_peft_counts_it() -> None:
    from core.recipe.families import families
    from tests.kit.model_families import inexact

    named = [name for name, told in families().items() if told["kind"] in ("causal", "multimodal")]
    assert [name for name in named if inexact(name)] == [name for name in named if families()[name].get("inexact")]


def test_only_the_language_model_of_one_that_sees_is_trained() -> None:
    from peft import get_peft_model

    from core.recipe.families import families
    from core.training.configuration import adapter_config
    from core.training.targets import freeze_outside
    from tests.kit.model_families import built

    inside = f"{families()['gemma3']['language']}."
    model = built("gemma3")
    freeze_outside(model)
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trained
    assert all(name.startswith(inside) for name in trained)
    for changes in ({"lora.targets": ("all-linear",)}, {"lora.targets": ("q_proj", "v_proj")}):
        model = built("gemma3")
        recipe = Recipe()
        for path, value in changes.items():
            recipe = put(recipe, path, value)
        adapted = get_peft_model(model, adapter_config(recipe, model), low_cpu_mem_usage=True)
        trained = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
        assert len(trained) > 4
        assert all(inside in name for name in trained)


@pytest.mark.parametrize(
    ("model_type", "target", "word"),
    [
        ("llama4_text", "router", "router"),
        ("qwen3_moe", "gate", "router"),
        ("jetmoe", "layer", "router"),
        ("mamba", "out_proj", "Use"),
        ("gemma3", "fc1", "no linear layer"),
        ("gpt2", "q_proj", "c_attn"),
        ("llama", "lm_head", "output layer"),
    ],
)
def test_a_target_that_cannot_be_adapted_is_refused_by_the_worker_as_well(
    model_type: str, target: str, word: str
) -> None:
    from core.errors import BadInput
    from core.training.configuration import adapter_config
    from tests.kit.model_families import built

    with pytest.raises(BadInput, match=word) as refused:
        adapter_config(put(Recipe(), "lora.targets", (target,)), built(model_type))
    assert "lora.targets" in str(refused.value)


def test_the_page_of_adapters_is_what_the_rows_say() -> None:
    from core.recipe.adapters_document import document

    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    assert page == document(), "run `python -m core.recipe.adapters_document > docs/adapters.md`"


@pytest.mark.parametrize("model_type", ["qwen3_moe", "mixtral"])
@pytest.mark.parametrize(
    "values",
    [
        {"lora__targets": ("q_proj",), "lora__parameters": ("experts.gate_up_proj",)},
        {"lora__targets": (), "lora__parameters": ("mlp.experts.down_proj", "mlp.experts.gate_up_proj")},
        {"lora__layers": ("last 2",)},
        {"lora__exclude": ("q_proj", "/.*3.*v_proj/")},
    ],
    ids=["one", "both", "layers", "exclude"],
)
def test_experts_that_are_named_are_counted_and_adapted_as_peft_does(model_type: str, values: dict[str, Value]) -> None:
    import peft

    from core.recipe.model_files import Tensor
    from core.recipe.model_shape import shape_of
    from core.training.configuration import adapter_config
    from core.training.effects import missing
    from tests.kit.model_families import built, on_disk

    model = built(model_type)
    stored = {name: Tensor("BF16", tuple(weight.shape)) for name, weight in on_disk(model).items()}
    shape, recipe = shape_of(model.config.to_dict(), stored), recipe_with(lora__rank=4, lora__dropout=0.0, **values)
    assert not [
        problem
        for problem in validate(recipe, shape)
        if problem.path.startswith("lora.") and problem.severity == "error"
    ]
    made = peft.get_peft_model(model, adapter_config(recipe, model), low_cpu_mem_usage=True)
    assert sum(weight.numel() for weight in made.parameters() if weight.requires_grad) == trained_parameters(
        recipe, shape
    )
    for name in values:
        knob = KNOBS[name.replace("__", ".")]
        assert knob.witness is not None
        assert missing(knob.witness, SimpleNamespace(model=made), recipe, get(recipe, knob.path)) is None
    if recipe.lora.parameters:
        dropped = validate(put(recipe, "lora.dropout", 0.1), shape)
        assert "lora.dropout" in {problem.path for problem in dropped if problem.severity == "error"}
        again = built(model_type)
        config = adapter_config(put(recipe, "lora.dropout", 0.1), again)
        with pytest.raises(ValueError, match="dropout"):
            peft.get_peft_model(again, config, low_cpu_mem_usage=True)


def test_targets_are_counted_and_listed_for_the_form() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    text = consequence("lora.targets", recipe_with(lora__layers=("last 8",), lora__exclude=("up_proj",)), shape)
    assert "48 of 224" in text
    assert "q_proj x8" in text
    assert "up_proj x" not in text


@pytest.mark.parametrize(
    ("values", "path", "word"),
    [
        ({"lora__targets": ("/.*(q_proj/",)}, "lora.targets", "regular expression"),
        ({"lora__exclude": ("/[/",)}, "lora.exclude", "regular expression"),
        ({"lora__patterns": (RankPattern("/*x/", 4),)}, "lora.patterns", "regular expression"),
        ({"lora__patterns": (RankPattern("q_proj"),)}, "lora.patterns", "neither rank nor alpha"),
        ({"lora__layers": ("first 3",)}, "lora.layers", "last 8"),
        ({"lora__layers": ("30-40",)}, "lora.layers", "32 layers"),
        ({"lora__exclude": ("q_proj",), "lora__targets": ("v_proj",)}, "lora.exclude", "nothing is excluded"),
        ({"lora__exclude": ("q_proj",), "lora__targets": ("q_proj",)}, "lora.exclude", "No layer is left"),
        ({"lora__plus_ratio": 0.5}, "lora.plus_ratio", "above 1"),
        ({"lora__init": "pissa", "lora__rank": 1024, "lora__targets": ("/.*/",)}, "lora.targets", None),
        (
            {"lora__ensure_weight_tying": True, "lora__modules_to_save": ("lm_head",)},
            "lora.ensure_weight_tying",
            "tied",
        ),
        ({"method": "oft", "adapter__block_size": 30}, "adapter.block_size", "divide"),
        ({"method": "prompt", "soft_prompt__start": "text"}, "soft_prompt.text", "Enter the text"),
        ({"method": "last_layers", "last_layers__count": 33}, "last_layers.count", "32 layers"),
        ({"method": "ia3", "model__added_tokens": ("<|x|>",)}, "model.added_tokens", "Use lora or full"),
        (
            {"model__added_tokens": ("<|x|>",), "lora__modules_to_save": ("embed_tokens",)},
            "model.added_tokens",
            "whole",
        ),
    ],
)
def test_the_form_says_what_is_wrong_with_an_adapter(values: dict[str, Value], path: str, word: str | None) -> None:
    found = validate(recipe_with(**values), shape_from(LLAMA_3_1_8B))
    sentences = [problem.sentence for problem in found if (problem.path, problem.severity) == (path, "error")]
    assert bool(sentences) is (word is not None)
    assert word is None or word in " ".join(sentences)


def test_vectors_before_the_prompt_are_refused_for_families_with_which_they_were_not_seen_to_work() -> None:
    shape = shape_from({**LLAMA_3_1_8B, "model_type": "mamba"})
    refused = [problem for problem in validate(recipe_with(method="prompt"), shape) if problem.path == "method"]
    assert "mamba" in refused[0].sentence
    assert not [
        each for each in validate(recipe_with(method="prompt"), shape_from(LLAMA_3_1_8B)) if each.path == "method"
    ]
