"""What cannot be loaded is told in a sentence that names the model and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from core.engine.load import check_model, hardware, load_base, load_tokenizer
from core.engine.ranks import join
from core.errors import BadInput
from core.jobs.trust import NotAgreed
from core.paths import SAMPLE_DATA
from core.recipe.asks import code_ask
from core.recipe.memory import forecast, trained_parameters, weight_bytes
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Model, Recipe, put
from core.recipe.tokenizer_files import read_tokenizer
from tests.kit.stored_quantized import save_quantized

BASE = SAMPLE_DATA / "tiny_base"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A copy of the sample base, to be damaged."""
    return Path(shutil.copytree(BASE, tmp_path / "base"))


def _without_weights(base: Path) -> None:
    (base / "model.safetensors").unlink()


def _pickled(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")


def _pointer(base: Path) -> None:
    (base / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")


def _without_config(base: Path) -> None:
    (base / "config.json").unlink()


def _shard_missing(base: Path) -> None:
    (base / "model.safetensors").rename(base / "model-00001-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without_weights, "no safetensors weights"),
        (_pickled, "pickles"),
        (_pointer, "Git LFS pointer"),
        (_without_config, "config.json is missing"),
        (_shard_missing, "1 of 2 weight files are missing"),
    ],
)
def test_a_damaged_folder_is_found_without_loading_it(base: Path, damage: Callable[[Path], None], words: str) -> None:
    check_model(str(base))
    damage(base)
    with pytest.raises(BadInput, match=words) as caught:
        check_model(str(base))
    assert str(base) in str(caught.value)


def test_code_that_comes_with_a_model_runs_only_once_the_user_has_said_yes_to_that_model(
    base: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "X"
    code = (
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
        "from transformers import PreTrainedTokenizerFast\nclass Own(PreTrainedTokenizerFast):\n    pass\n"
    )
    (base / "own_tokenizer.py").write_text(code)
    settings = json.loads((base / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": [None, "own_tokenizer.Own"]}}
    (base / "tokenizer_config.json").write_text(json.dumps(settings))
    model = Model(path=str(base), trust_remote_code=True)
    for load in (load_tokenizer, lambda model: load_base(model, hardware(model, "cpu"))):
        with pytest.raises(NotAgreed, match="not allowed"):
            load(model)
    assert not mark.exists()
    code_ask(model).agree()
    load_tokenizer(model)
    assert mark.exists()


def _load(base: Path) -> None:
    model = Model(path=str(base))
    load_base(model, hardware(model, "cpu"))


def test_loading_reports_how_many_of_the_weights_are_there(base: Path) -> None:
    model, seen = Model(path=str(base)), list[tuple[int, int]]()
    load_base(model, hardware(model, "cpu"), on_progress=lambda done, of: seen.append((done, of)))
    of = seen[-1][1]
    assert of > 10
    assert [done for done, _ in seen] == [*range(of + 1)]
    seen.clear()
    _load(base)
    assert seen == []


def test_weights_that_are_missing_are_never_made_up(base: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(base / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"1 weights are missing.*up_proj"):
        _load(base)


def test_weights_of_another_shape_are_refused(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "vocab_size": config["vocab_size"] * 2}))
    with pytest.raises(BadInput, match=r"do not match config\.json"):
        _load(base)


def test_a_torn_weight_file_is_a_sentence(base: Path) -> None:
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(BadInput, match="cannot be loaded"):
        _load(base)


def test_a_hub_name_without_a_network_is_a_sentence() -> None:
    model = Model(path="nobody/no-such-model")
    with pytest.raises(BadInput, match=r"Cannot reach the Hub.*local folder"):
        load_base(model, hardware(model, "cpu"))
    with pytest.raises(BadInput, match="Cannot reach the Hub"):
        load_tokenizer(model)


def test_a_folder_that_does_not_exist_is_not_taken_for_a_hub_name() -> None:
    with pytest.raises(BadInput, match="No such model folder"):
        check_model("./models/mine")


def test_a_model_with_code_of_its_own_does_not_run_it_unasked(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    config["model_type"] = "own"
    (base / "config.json").write_text(json.dumps(config))
    (base / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(BadInput, match="was not run"):
        _load(base)
    assert not (tmp_path / "ran").exists()


def test_precision_on_a_cpu_is_float32_and_float16_is_refused() -> None:
    on = hardware(Model(), "cpu")
    assert (on.device.type, on.dtype, on.mixed) == ("cpu", torch.float32, "no")
    assert hardware(Model(dtype="bfloat16"), "cpu").mixed == "bf16"
    with pytest.raises(BadInput, match="float16 does not work on a CPU"):
        hardware(Model(dtype="float16"), "cpu")


def test_a_named_gpu_that_torch_does_not_reach_is_never_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"training.devices: torch \S+ .*cannot use GPU 77"):
        hardware(Model(), "77")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(BadInput, match="cannot use GPU 78"):
        join(put(Recipe(), "training.devices", "77,78"))


def test_weights_are_held_in_the_precision_that_was_asked_for(base: Path) -> None:
    for dtype, wanted in (("auto", torch.float32), ("bfloat16", torch.bfloat16)):
        model = Model(path=str(base), dtype=dtype)
        assert load_base(model, hardware(model, "cpu")).dtype is wanted


def test_padding_is_not_the_end_token_where_another_is_to_be_had(base: Path) -> None:
    file = base / "tokenizer_config.json"
    config = json.loads(file.read_text())
    config.pop("pad_token")
    file.write_text(json.dumps(config))
    tokenizer = load_tokenizer(Model(path=str(base)))
    assert tokenizer.pad_token is not None
    assert tokenizer.pad_token != tokenizer.eos_token


def test_a_quantized_base_of_any_shape_can_be_evaluated(base: Path) -> None:
    """Bitsandbytes packs 4-bit weights for some CPUs and raises where their width is no multiple of 64."""
    model = Model(path=str(base), quantization="nf4")
    loaded = load_base(model, hardware(model, "cpu")).eval()
    with torch.no_grad():
        assert torch.isfinite(loaded(input_ids=torch.arange(8)[None] + 5).logits).all()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes bases that are stored quantized, each once."""
    made: dict[str, Path] = {}

    def of(quantization: str) -> Path:
        if quantization not in made:
            made[quantization] = save_quantized(tmp_path_factory.mktemp(quantization) / "base", quantization)
        return made[quantization]

    return of


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_a_base_that_is_stored_quantized_is_loaded_as_if_it_were_quantized_now(
    stored: Callable[[str], Path], quantization: str, dtype: str
) -> None:
    """It never loaded, because quantization was undone with a None; of int8 the integers were taken for weights."""
    fresh, kept = (
        Model(path=str(BASE), quantization=quantization, dtype=dtype),
        Model(path=str(stored(quantization)), dtype=dtype),
    )
    tokens = torch.arange(8)[None] + 5
    logits = []
    for model in (fresh, kept):
        on = hardware(model, "cpu")
        loaded = load_base(model, on).eval()
        assert loaded.is_quantized
        assert loaded.dtype is on.dtype
        with torch.no_grad():
            logits.append(loaded(input_ids=tokens).logits.float())
    assert torch.isfinite(logits[0]).all()
    # Quantized in another precision than it is computed in, which moves the last bits of 16.
    torch.testing.assert_close(logits[1], logits[0], rtol=0, atol=1e-4 if dtype == "auto" else 0.5)


def test_a_stored_quantized_base_is_not_quantized_a_second_time(stored: Callable[[str], Path]) -> None:
    model = Model(path=str(stored("nf4")), quantization="nf4")
    with pytest.raises(BadInput, match="already quantized"):
        load_base(model, hardware(model, "cpu"))


def test_quantized_weights_without_a_word_in_the_config_are_refused(
    stored: Callable[[str], Path], tmp_path: Path
) -> None:
    base = Path(shutil.copytree(stored("int8"), tmp_path / "base"))
    config = json.loads((base / "config.json").read_text())
    del config["quantization_config"]
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match=r"config\.json does not say how"):
        _load(base)


@pytest.mark.parametrize(("quantization", "dtype"), [("nf4", "nf4"), ("int8", "int8")])
def test_the_shape_of_a_stored_quantized_base_is_that_of_the_base(
    stored: Callable[[str], Path], quantization: str, dtype: str
) -> None:
    plain, shape = read_shape(str(BASE)), read_shape(str(stored(quantization)))
    assert (shape.quantized, shape.dtype) == ("bitsandbytes", dtype)
    assert shape.parameters == plain.parameters
    assert shape.linear == plain.linear
    file = stored(quantization) / "model.safetensors"
    header = int.from_bytes(file.read_bytes()[:8], "little") + 8
    assert shape.stored_bytes == file.stat().st_size - header
    recipe = Recipe()
    assert weight_bytes(recipe, shape, "cuda") == shape.stored_bytes
    # TRL makes adapters over such a base 16-bit.
    assert forecast(recipe, shape, "cuda").adapter == 2 * trained_parameters(recipe, plain)


@pytest.mark.parametrize(("model_type", "same"), [("gemma2", True), ("granite", True), ("modernbert-decoder", False)])
def test_a_loss_that_is_not_the_models_own_stops_the_run(model_type: str, same: bool) -> None:
    """TRL computes it from the last hidden states, and so without layers that come behind them."""
    from core.engine.loss_check import check_loss, check_vocabulary
    from tests.kit.model_families import tiny

    tokenizer = load_tokenizer(Model(path=str(BASE)))
    model = tiny(model_type, vocabulary=len(tokenizer))
    check_vocabulary(model, tokenizer)
    with nullcontext() if same else pytest.raises(BadInput, match="not the model's own"):
        check_loss(model, tokenizer)
    assert "forward" not in vars(model)
    if same:
        model.lm_head.register_forward_hook(lambda *_: torch.ones(2) @ torch.ones(3))  # sizes that do not fit
        with pytest.raises(BadInput, match=r"cannot be computed \(RuntimeError"):
            check_loss(model, tokenizer)
    with pytest.raises(BadInput, match=rf"{len(tokenizer):,} tokens.* {len(tokenizer) - 1:,} rows"):
        check_vocabulary(tiny(model_type, vocabulary=len(tokenizer) - 1), tokenizer)


def _edit(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_hidden_layers": "2"}, "num_hidden_layers"),
        ({"num_attention_heads": 7}, "cannot be loaded: .*attention heads"),
        ({"dtype": "float7"}, "float7"),
        ({"hidden_act": "zig"}, "KeyError: 'zig'"),
    ],
)
def test_whatever_a_configuration_makes_transformers_raise_is_a_sentence(
    base: Path, values: dict[str, Any], words: str
) -> None:
    _edit(base / "config.json", **values)
    with pytest.raises(BadInput, match=words) as caught:
        _load(base)
    assert str(base) in str(caught.value)


def test_a_tokenizer_that_its_own_library_cannot_read_is_a_sentence(base: Path) -> None:
    file = base / "tokenizer.json"
    whole = json.loads(file.read_text())
    whole["model"]["merges"] = [["zz", "qq"]]
    file.write_text(json.dumps(whole))
    with pytest.raises(BadInput, match="tokenizer cannot be loaded"):
        load_tokenizer(Model(path=str(base)))
    whole["model"]["type"] = "Magic"
    file.write_text(json.dumps(whole))
    assert "Magic" in read_tokenizer(base).fault
