"""No setting without effect: each field says where its effect is; the worker stops at one whose effect is missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.recipe.adapters import ADAPTERS
from core.recipe.declare import Knob
from core.recipe.recipe import KNOBS, Recipe, put
from core.recipe.tasks import TASKS
from core.recipe.values import Value
from tests.kit.recipe_models import TINY

_SECTIONS = {"model", "training"} | {adapter.section for adapter in ADAPTERS}
_SECTIONS |= {section for task in TASKS.values() for section in task.sections}
_OWED = [knob for knob in KNOBS.values() if knob.section in _SECTIONS - {""}]


@pytest.mark.parametrize("knob", _OWED, ids=lambda knob: knob.path)
def test_every_field_of_the_training_declares_where_its_effect_can_be_read(knob: Knob) -> None:
    assert knob.witness is not None, f"{knob.path} needs witness=... (core/recipe/witness.py)"
    if knob.witness.place == "reading":
        pytest.importorskip("torch", reason="the train extra is not installed")
        from core.training.effects import reader

        assert reader(knob.witness.name).__doc__
    elif knob.witness.place == "run loop":
        found = find_spec(knob.witness.name)
        assert found is not None
        assert found.origin is not None
        assert f".{knob.name}" in Path(found.origin).read_text(encoding="utf-8"), "the module does not read the field"


@dataclass
class Built:
    """What of a trainer the witnesses look at."""

    model: Any
    args: Any
    eval_dataset: Any = None


def recipe_with(**values: Value) -> Recipe:
    recipe = put(Recipe(), "training.devices", "cpu")
    for path, value in values.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


def base(**sizes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {key: value for key, value in TINY.items() if key != "architectures"} | sizes
    return LlamaForCausalLM(LlamaConfig(**sizes))


def built(recipe: Recipe, tmp_path: Path, *, model: Any = None, **lies: Any) -> Built:
    """The real model with the real peft's adapter, and TRL's configuration; `lies` are arguments of peft's."""
    import peft

    from core.engine.load import hardware
    from core.training.configuration import adapter_config, trainer_config

    model = base() if model is None else model
    config = adapter_config(recipe, model)
    for name, value in lies.items():
        setattr(config, name, value)
    args = trainer_config(recipe, hardware(recipe.model, "cpu"), tmp_path / "run" / "checkpoints", evaluates=True)
    return Built(peft.get_peft_model(model, config), args, ["held out"])


def test_settings_that_took_effect_are_found(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.effects import check_effects

    recipe = recipe_with(
        lora__rank=4,
        lora__alpha=6.0,
        lora__dropout=0.3,
        lora__targets=("q_proj", "layers.1.mlp.down_proj"),
        lora__variant="dora",
        lora__modules_to_save=("norm",),
        model__attention="sdpa",
        model__dtype="float32",
        training__learning_rate=1e-3,
        training__warmup=5.0,
        training__save_every=0.0,
        training__eval_every=3.0,
        training__neftune_alpha=5.0,
        training__optimizer="sgd",
        training__scheduler="cosine",
        training__cpu_threads=torch.get_num_threads(),
    )
    check_effects(built(recipe, tmp_path), recipe)


@pytest.mark.parametrize(
    ("values", "lies", "path"),
    [
        ({"lora__rank": 4}, {"r": 16}, "lora.rank"),
        ({"lora__variant": "dora"}, {"use_dora": False}, "lora.variant"),
        ({"lora__variant": "rslora"}, {"use_rslora": False}, "lora.variant"),
        ({"lora__dropout": 0.3}, {"lora_dropout": 0.0}, "lora.dropout"),
        # peft takes the names of modules that are not there in silence
        ({"lora__modules_to_save": ("norm",)}, {"modules_to_save": ["no_such_module"]}, "lora.modules_to_save"),
        ({"lora__targets": ("q_proj", "v_proj")}, {"target_modules": ["q_proj"]}, "lora.targets"),
        ({"model__quantization": "nf4"}, {}, "model.quantization"),
        ({"model__dtype": "bfloat16"}, {}, "model.dtype"),
    ],
)
def test_a_setting_whose_effect_is_missing_stops_the_run_and_is_named(
    values: dict[str, Value], lies: dict[str, Any], path: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.effects import check_effects

    recipe = recipe_with(**values)
    trainer = built(recipe, tmp_path, **lies)
    if path == "model.dtype":
        trainer.model.to("cpu").float()
        trainer.args.bf16 = False
    with pytest.raises(BadInput, match="no effect") as stopped:
        check_effects(trainer, recipe)
    assert stopped.value.where == path


def test_an_attention_kernel_for_a_model_without_attention_stops_the_run(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.effects import check_effects
    from tests.kit.model_families import built as family

    recipe = recipe_with(model__attention="eager", lora__targets=("x_proj",))
    model = family("mamba")
    model.set_attn_implementation("eager")
    with pytest.raises(BadInput, match="nothing in the model has it"):
        check_effects(built(recipe, tmp_path, model=model), recipe)


def test_a_changed_argument_of_the_trainer_is_named_with_what_it_is(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from core.training.effects import check_effects

    recipe = recipe_with(training__weight_decay=0.1)
    trainer = built(recipe, tmp_path)
    trainer.args.weight_decay = 0.0
    with pytest.raises(BadInput, match=r"0\.1.*weight_decay is 0\.0"):
        check_effects(trainer, recipe)


def test_liger_kernels_that_a_model_has_none_of_are_a_stop() -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from types import MethodType

    from core.training.effects import check_liger

    def forward(module: Any, hidden: Any) -> Any:
        return hidden

    model = base()
    with pytest.raises(BadInput, match="no kernels for llama"):
        check_liger(model)
    forward.__module__ = "liger_kernel.transformers.rms_norm"
    model.model.norm.forward = MethodType(forward, model.model.norm)  # as liger patches a module
    check_liger(model)
