"""What cannot be loaded is told in a sentence that names the model and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.engine.load import check_model, hardware, load_base, load_tokenizer
from core.errors import BadInput
from core.jobs.trust import NotAgreed
from core.paths import SAMPLE_DATA
from core.recipe.consent import code_ask
from core.recipe.recipe import Model

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
        with pytest.raises(NotAgreed, match="not allowed by you"):
            load(model)
    assert not mark.exists()
    code_ask(model).agree()
    load_tokenizer(model)
    assert mark.exists()


def _load(base: Path) -> None:
    model = Model(path=str(base))
    load_base(model, hardware(model, "cpu"))


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
    with pytest.raises(BadInput, match="do not fit the configuration"):
        _load(base)


def test_a_torn_weight_file_is_a_sentence(base: Path) -> None:
    file = base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(BadInput, match="cannot be loaded"):
        _load(base)


def test_a_hub_name_without_a_network_is_a_sentence() -> None:
    model = Model(path="nobody/no-such-model")
    with pytest.raises(BadInput, match=r"hub cannot be reached.*local folder"):
        load_base(model, hardware(model, "cpu"))
    with pytest.raises(BadInput, match="hub cannot be reached"):
        load_tokenizer(model)


def test_a_folder_that_does_not_exist_is_not_taken_for_a_hub_name() -> None:
    with pytest.raises(BadInput, match="no such model folder"):
        check_model("./models/mine")


def test_a_model_with_code_of_its_own_does_not_run_it_unasked(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    config["model_type"] = "own"
    (base / "config.json").write_text(json.dumps(config))
    (base / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(BadInput, match="does not run unasked"):
        _load(base)
    assert not (tmp_path / "ran").exists()


def test_precision_on_a_cpu_is_float32_and_float16_is_refused() -> None:
    on = hardware(Model(), "cpu")
    assert (on.device.type, on.dtype, on.mixed) == ("cpu", torch.float32, "no")
    assert hardware(Model(dtype="bfloat16"), "cpu").mixed == "bf16"
    with pytest.raises(BadInput, match="CPU does not train in float16"):
        hardware(Model(dtype="float16"), "cpu")


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
