"""What does not go together is refused with a sentence, and fails with the installed peft or is not what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.recipe.adapters import adapter_of
from core.recipe.adapters.conflicts import CONFLICTS, AdapterConflict
from core.recipe.recipe import Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.values import Value
from tests.kit.recipe_models import LLAMA_3_1_8B, TINY, shape_from

torch = pytest.importorskip("torch", reason="the train extra is not installed")


def recipe_with(values: Mapping[str, Value]) -> Recipe:
    recipe = put(Recipe(), "lora.rank", 4)
    for path, value in values.items():
        recipe = put(recipe, path, value)
    return recipe


def base() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{key: TINY[key] for key in TINY if key != "architectures"})).eval()


def adapted(values: Mapping[str, Value]) -> Any:
    """The tiny model with the adapter of a recipe, by the real peft."""
    import peft

    from core.training.configuration import adapter_config

    torch.manual_seed(1)
    model = base()
    return peft.get_peft_model(model, adapter_config(recipe_with(values), model))


_IDS = torch.arange(1, 17)[None] % 60


def answers(model: Any) -> Any:
    with torch.no_grad():
        return model.eval()(input_ids=_IDS).logits


def steps(model: Any) -> None:
    """Three steps, large enough to be seen."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    for _ in range(3):
        model(input_ids=_IDS, labels=_IDS, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.name)
def test_each_is_refused_in_the_form_and_what_it_advises_is_not(conflict: AdapterConflict) -> None:
    refused = validate(recipe_with(conflict.refused), shape_from(LLAMA_3_1_8B))
    assert conflict.path in [problem.path for problem in refused if problem.severity == "error"]
    works = validate(recipe_with(conflict.works), shape_from(LLAMA_3_1_8B))
    assert conflict.path not in [problem.path for problem in works if problem.severity == "error"]


def test_the_cost_of_keeping_activations_is_said_in_gib() -> None:
    found = validate(recipe_with({"method": "prefix"}), shape_from(LLAMA_3_1_8B))
    (sentence,) = [each.sentence for each in found if each.path == "training.activation_checkpointing"]
    assert "GiB more" in sentence


def test_a_prefix_fails_where_activations_are_recomputed_and_trains_where_they_are_kept() -> None:
    model = adapted({"method": "prefix"})
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()
    with pytest.raises((RuntimeError, ValueError)):
        steps(model)
    kept = adapted({"method": "prefix"})
    before = kept.prompt_encoder["default"].embedding.weight.detach().clone()
    steps(kept)
    assert not torch.equal(before, kept.prompt_encoder["default"].embedding.weight)


def test_only_the_first_of_packed_samples_sees_virtual_tokens() -> None:
    """What the second sample of a packed row computes does not hang on the prompt at all."""
    places = torch.cat([torch.arange(8), torch.arange(8)])[None]
    model = adapted({"method": "prompt"})
    labels = _IDS.clone()
    labels[:, :9] = -100  # only the second sample is learned from
    model.base_model.config._attn_implementation = "sdpa"
    shifted = torch.cat([torch.arange(20), places[0] + 20 * (torch.arange(16) < 8)])[None]
    words = torch.cat([model.get_prompt(1), model.word_embeddings(_IDS)], dim=1)
    label = torch.cat([torch.full((1, 20), -100), labels], dim=1)
    model.base_model(inputs_embeds=words, position_ids=shifted, labels=label, use_cache=False).loss.backward()
    assert not model.prompt_encoder["default"].embedding.weight.grad.any()


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_without_its_adapter_a_model_that_gave_a_part_away_is_not_the_base_model(init: str) -> None:
    model, plain = adapted({"lora.init": init}), adapted({"lora.init": "eva"})
    with model.disable_adapter(), plain.disable_adapter():
        assert not torch.allclose(answers(model), answers(base()), atol=1e-3)
        assert torch.allclose(answers(plain), answers(base()), atol=1e-5)


@pytest.mark.parametrize("variant", ["plain", "rslora", "dora"])
@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_the_saved_difference_answers_as_it_was_trained_on_the_base_model_itself(
    init: str, variant: str, tmp_path: Path
) -> None:
    import peft

    from core.training import adapter_start

    recipe = {"lora.init": init, "lora.variant": variant, "lora.targets": ("q_proj", "down_proj")}
    model = adapted(recipe)
    worker = SimpleNamespace(folder=SimpleNamespace(path=tmp_path), rank=None)
    trainer = SimpleNamespace(model=model)
    adapter_start.start(trainer, recipe_with(recipe), worker, resumed=False, continued=False)
    assert trainer.initialized == init
    steps(model)
    model.save_pretrained(str(tmp_path / "adapter"))
    adapter_start.fit_base(model, tmp_path / "adapter")
    loaded = peft.PeftModel.from_pretrained(base(), str(tmp_path / "adapter")).eval()
    assert torch.allclose(answers(loaded), answers(model), atol=1e-4)
    merged = loaded.merge_and_unload()
    assert torch.allclose(answers(merged), answers(model), atol=1e-4)


def test_a_start_that_comes_out_otherwise_is_made_what_it_was(tmp_path: Path) -> None:
    """Another machine may decompose a weight otherwise: the rest of the base model has to be that of the start."""
    from core.training import adapter_start

    recipe = {"lora.init": "pissa", "lora.targets": ("q_proj",)}
    worker = SimpleNamespace(folder=SimpleNamespace(path=tmp_path), rank=None)
    first, again = (SimpleNamespace(model=adapted({**recipe, "lora.init": init})) for init in ("olora", "pissa"))
    adapter_start.start(first, recipe_with(recipe), worker, resumed=False, continued=False)
    adapter_start.start(again, recipe_with(recipe), worker, resumed=True, continued=False)
    with first.model.disable_adapter(), again.model.disable_adapter():
        assert torch.allclose(answers(first.model), answers(again.model), atol=1e-4)
    assert all(
        torch.equal(first.model.initial_adapter[name], each) for name, each in again.model.initial_adapter.items()
    )


def test_eva_starts_from_the_data_and_not_at_random() -> None:
    from core.training import adapter_start

    recipe = {"lora.init": "eva", "training.batch_size": 2}
    rows = [{"input_ids": [(place * step) % 60 + 1 for place in range(24)]} for step in range(1, 13)]
    model = adapted(recipe)
    start = {name: weight.detach().clone() for name, weight in model.named_parameters() if "lora_A" in name}
    trainer = SimpleNamespace(model=model, train_dataset=rows)
    worker = SimpleNamespace(phase=lambda *_: None)
    before = torch.random.get_rng_state()
    adapter_start.start(trainer, recipe_with(recipe), worker, resumed=False, continued=False)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, weight in model.named_parameters():
        if "lora_A" in name:
            assert not torch.allclose(weight, start[name])
            down = weight.detach()
            assert torch.allclose(down @ down.T, torch.eye(len(down)), atol=1e-3), "principal directions are orthogonal"
    assert torch.allclose(answers(model), answers(base()), atol=1e-5)


_QUANTIZED = [
    ({"lora.variant": "dora"}, "int8"),
    ({"lora.init": "pissa"}, "nf4"),
    ({"lora.init": "olora"}, "nf4"),
    ({"method": "last_layers"}, "nf4"),
    ({"method": "vera"}, "int8"),
    ({"method": "hira"}, "nf4"),
]


@pytest.mark.parametrize(("values", "quantization"), _QUANTIZED)
def test_what_cannot_be_over_quantized_weights_is_refused(values: dict[str, Value], quantization: str) -> None:
    recipe = recipe_with(values)
    assert adapter_of(recipe).over_quantized(recipe, quantization) is not None
    assert adapter_of(recipe).over_quantized(recipe, "none") is None
