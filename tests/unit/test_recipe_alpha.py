"""What alpha comes to: alpha / rank, and alpha / sqrt(rank) for rslora alone; told, and trained."""

from __future__ import annotations

import pytest

from core.paths import SAMPLE_DATA
from core.recipe.consequences import consequence
from core.recipe.recipe import Model, put
from tests.kit.training_runs import recipe

_CASES = [("plain", 2.0), ("dora", 2.0), ("rslora", 8.0)]


@pytest.mark.parametrize(("variant", "scale"), _CASES)
def test_the_form_tells_the_scale_of_each_variant(variant: str, scale: float) -> None:
    asked = recipe(lora__rank=16, lora__alpha=32.0, lora__variant=variant)
    assert f"multiplied by {scale:g}." in consequence("lora.alpha", asked)
    assert "multiplied by 0.5." in consequence("lora.alpha", put(recipe(lora__rank=16), "lora.alpha", 8.0))


@pytest.mark.parametrize(("variant", "scale"), _CASES)
def test_the_trained_adapter_has_that_scale(variant: str, scale: float) -> None:
    pytest.importorskip("peft", reason="the train extra is not installed")
    from peft import get_peft_model
    from peft.tuners.lora import LoraLayer

    from core.engine.load import hardware, load_base
    from core.training.configuration import adapter_config

    chosen = Model(path=str(SAMPLE_DATA / "tiny_base"))
    base = load_base(chosen, hardware(chosen, "cpu"))
    config = adapter_config(recipe(lora__rank=16, lora__alpha=32.0, lora__variant=variant), base)
    layers = [module for module in get_peft_model(base, config).modules() if isinstance(module, LoraLayer)]
    assert len(layers) == 21, "seven in each of three layers"
    assert {layer.scaling["default"] for layer in layers} == {scale}
