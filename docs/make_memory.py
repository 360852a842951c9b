"""Writes docs/memory.md: the fast memory figure of twenty configurations beside the exact one.

`python -m docs.make_memory --exact` computes the exact figures again (some minutes, nothing is downloaded) and keeps
them in docs/memory.json with the versions of what computed them; without it the page is written from those.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.paths import ROOT, SAMPLE_DATA
from core.recipe.memory import Forecast, forecast
from core.recipe.model_files import Tensor
from core.recipe.model_shape import ModelShape, shape_of
from core.recipe.precision import DeviceType
from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from tests.kit.model_families import on_disk

FIGURES, PAGE = ROOT / "docs" / "memory.json", ROOT / "docs" / "memory.md"
WITHIN = 0.15
"""How far the fast figure may be from the exact one."""
_GIB = 2**30


def _llama(hidden: int, inner: int, layers: int, heads: int, head: int, *, tied: bool = False) -> dict[str, Any]:
    return _sizes("llama", hidden, inner, layers, heads, 8, head, 128_256, tied)


def _sizes(
    kind: str, hidden: int, inner: int, layers: int, heads: int, kv: int, head: int, vocabulary: int, tied: bool
) -> dict[str, Any]:
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "head_dim": head,
        "vocab_size": vocabulary,
        "max_position_embeddings": 32_768,
        "tie_word_embeddings": tied,
    }


MODELS: Mapping[str, Mapping[str, Any]] = {
    "SmolLM2-135M": _sizes("llama", 576, 1536, 30, 9, 3, 64, 49_152, True),
    "Qwen2.5-0.5B": _sizes("qwen2", 896, 4864, 24, 14, 2, 64, 151_936, True),
    "Qwen3-0.6B": _sizes("qwen3", 1024, 3072, 28, 16, 8, 128, 151_936, True),
    "Llama-3.2-1B": _llama(2048, 8192, 16, 32, 64, tied=True),
    "Llama-3.2-3B": _llama(3072, 8192, 28, 24, 128, tied=True),
    "Qwen3-4B": _sizes("qwen3", 2560, 9728, 36, 32, 8, 128, 151_936, True),
    "Mistral-7B": _sizes("mistral", 4096, 14_336, 32, 32, 8, 128, 32_768, False),
    "Qwen2.5-7B": _sizes("qwen2", 3584, 18_944, 28, 28, 4, 128, 152_064, False),
    "Llama-3.1-8B": _llama(4096, 14_336, 32, 32, 128),
    "OLMoE-1B-7B": {
        **_sizes("olmoe", 2048, 1024, 16, 16, 16, 128, 50_304, False),
        "num_experts": 64,
        "num_experts_per_tok": 8,
    },
    "Qwen3-30B-A3B": {
        **_sizes("qwen3_moe", 2048, 6144, 48, 32, 4, 128, 151_936, False),
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "mlp_only_layers": [],
    },
}
"""Sizes of each model's `config.json` on the Hub."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One row of the table.

    Attributes:
        model: a name of `MODELS`.
        words: what is trained, for the table.
        values: fields of the recipe that are not at their defaults.
        device: what the run would compute on.
    """

    model: str
    words: str
    values: Mapping[str, Value] = field(default_factory=dict)
    device: DeviceType = "cuda"

    @property
    def key(self) -> str:
        """Its name in docs/memory.json."""
        return f"{self.model}: {self.words}"


def _row(
    model: str, words: str, length: int, batch: int, device: DeviceType = "cuda", **values: Value
) -> Configuration:
    named = {path.replace("__", "."): value for path, value in values.items()}
    sizes: dict[str, Value] = {"data.max_length": length, "training.batch_size": batch}
    return Configuration(model, f"{words}, {batch} x {length:,}", {**sizes, **named}, device)


_NF4, _FULL = {"model__quantization": "nf4"}, {"method": "full", "model__dtype": "bfloat16"}
_OPEN = {"training__activation_checkpointing": False}

CONFIGURATIONS: tuple[Configuration, ...] = (
    _row("SmolLM2-135M", "LoRA", 2048, 4),
    _row("Qwen2.5-0.5B", "LoRA", 2048, 1),
    _row("Qwen2.5-0.5B", "LoRA, no checkpointing", 1024, 4, **_OPEN),
    _row("Qwen3-0.6B", "full, float32 with autocast", 2048, 1, method="full", model__dtype="mixed_bfloat16"),
    _row("Qwen3-0.6B", "full DPO", 1024, 1, task="dpo", **_FULL),
    _row("Llama-3.2-1B", "full bfloat16", 1024, 2, **_FULL),
    _row("Llama-3.2-1B", "LoRA rank 64, eager attention", 1024, 4, lora__rank=64, model__attention="eager"),
    _row("Llama-3.2-1B", "LoRA, packed", 2048, 4, data__packing="bfd"),
    _row("Llama-3.2-3B", "QLoRA", 2048, 2, **_NF4),
    _row("Llama-3.2-3B", "QLoRA on a GPU before Ampere", 1024, 1, "cuda_fp16", **_NF4),
    _row("Qwen3-4B", "LoRA", 2048, 2),
    _row("Mistral-7B", "LoRA", 4096, 1),
    _row("Mistral-7B", "LoRA on int8", 2048, 1, model__quantization="int8"),
    _row("Qwen2.5-7B", "QLoRA", 4096, 1, **_NF4),
    _row("Llama-3.1-8B", "QLoRA", 2048, 1, **_NF4),
    _row("Llama-3.1-8B", "QLoRA, no checkpointing", 1024, 1, **_NF4, **_OPEN),
    _row("Llama-3.1-8B", "LoRA", 2048, 1),
    _row("Llama-3.1-8B", "full bfloat16, AdamW 8-bit", 2048, 1, training__optimizer="adamw_8bit", **_FULL),
    _row("Llama-3.1-8B", "DPO with QLoRA", 1024, 2, task="dpo", **_NF4),
    _row("Llama-3.1-8B", "KTO with LoRA", 1024, 2, task="kto"),
    _row("OLMoE-1B-7B", "LoRA on attention", 2048, 1, lora__targets=("q_proj", "k_proj", "v_proj", "o_proj")),
    _row("OLMoE-1B-7B", "LoRA on all layers and experts", 1024, 1, lora__dropout=0.0),
    _row("Qwen3-30B-A3B", "QLoRA on attention", 1024, 1, lora__targets=("q_proj", "v_proj"), **_NF4),
)
"""The rows, from small to large."""


def recipe_of(row: Configuration, model: str = "") -> Recipe:
    """The recipe of a row.

    Args:
        row: the row.
        model: the model's folder.
    """
    recipe = put(put(Recipe(), "model.path", model), "training.gradient_accumulation", 1)
    for path, value in row.values.items():
        recipe = put(recipe, path, value)
    return recipe


@lru_cache(maxsize=32)
def shape(name: str) -> ModelShape:
    """The shape of a model, from its class and sizes."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = dict(MODELS[name])
    config = AutoConfig.for_model(**sizes)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    tied = {"lm_head.weight"} if sizes["tie_word_embeddings"] else set()
    stored = {name: Tensor("BF16", tuple(each.shape)) for name, each in on_disk(model).items() if name not in tied}
    return shape_of(json.loads(config.to_json_string()), stored)


def fast(row: Configuration) -> Forecast:
    """The fast figure of a row."""
    return forecast(recipe_of(row), shape(row.model), row.device)


def exact(row: Configuration) -> int:
    """The exact figure of a row in bytes, without the CUDA context."""
    from core.engine.load import load_tokenizer
    from core.training.forecast import measure_step

    tokenizer = load_tokenizer(put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base")).model)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(dict(MODELS[row.model])), encoding="utf-8")
        return measure_step(recipe_of(row, folder), row.device, tokenizer=tokenizer).peak


def kept() -> dict[str, Any]:
    """The figures and versions that are kept; empty ones where there are none yet."""
    found: dict[str, Any] = {"versions": {}, "bytes": {}}
    if FIGURES.exists():
        found = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def versions() -> dict[str, str]:
    """Of what an exact figure depends on."""
    from importlib.metadata import version

    names = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate")
    return {name: version(name).partition("+")[0] for name in names}


def page() -> str:
    """The page."""
    figures = kept()
    return _PAGE.format(
        versions=", ".join(f"{name} {version}" for name, version in figures["versions"].items()),
        rows="\n".join(_rows(figures["bytes"])),
    )


def _rows(figures: Mapping[str, int]) -> Iterator[str]:
    for row in CONFIGURATIONS:
        found = fast(row)
        quick, whole = (found.total - found.context) / _GIB, figures[row.key] / _GIB
        yield f"| {row.model} | {row.words} | {whole:.2f} | {quick:.2f} | {quick / whole - 1:+.0%} |"


_PAGE = """# Memory forecasts

Made by `python -m docs.make_memory`. Three figures say how much memory a run needs, and the form says which one it
shows:

| figure | shown as | where it is from |
|---|---|---|
| estimate | `~8.1 GiB` | tensor shapes, while you type; corrected by runs of this model on this machine |
| exact | `8.06 GiB` | two steps of the real trainer on fake tensors: no weights, no GPU, no download |
| measured | `7.9 GiB in run X` | the peak of a run with the same settings on this machine |

The exact forecast starts automatically while you look at the form of a GPU run (`TUNEDECK_FORECAST=off` turns that
off), and on a CPU with `m`. It is kept in `.tunedeck/forecasts`, keyed by the model's config, the settings that matter,
and the versions of the training packages. A start waits for it at most one second, and only if the estimate is over 70%
of what is free. If a run does not fit, `m` lists the smallest changes that make it fit, each with its own figure, and
`enter` applies one.

What the exact forecast counts: every tensor that is alive at any operation of forward pass, backward pass and optimizer
step, with the kernels for the device of the run: flash or memory-efficient attention, TRL's Triton kernels
for the loss, 4-bit and 8-bit layers of bitsandbytes. On a CPU it is within 3% of the tracked peak of the same run;
tests hold it there for LoRA, QLoRA, full, DPO and packing, with and without checkpointing. What it does not count: what
torch's allocator reserves beyond what is in use, and workspaces inside kernels. The CUDA context (0.8 GiB) is added.
FSDP and tasks that generate text only have the estimate. No figure here has been compared with a GPU yet.

## The estimate compared with the exact forecast

Both in GiB, without the CUDA context. Batch size and max length follow the comma; LoRA has rank 16 on all linear
layers, and gradient checkpointing is on, unless the row says otherwise. Computed with {versions}.

| model | trained | exact | estimate | difference |
|---|---|---:|---:|---:|
{rows}
"""


def main(argv: Sequence[str]) -> int:
    """Writes the page, and with `--exact` the figures first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exact", action="store_true", help="compute the exact figures again")
    parser.add_argument("--only", default="", help="only rows whose name contains one of these, separated by commas")
    parser.add_argument("--missing", action="store_true", help="only rows that have no figure yet")
    options = parser.parse_args(argv)
    if options.exact:
        for row in CONFIGURATIONS:
            wanted = any(part in row.key for part in options.only.split(","))
            if wanted and not (options.missing and row.key in kept()["bytes"]):
                found = exact(row)
                figures = kept()
                figures["bytes"][row.key] = found
                figures["versions"] = versions()
                FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
                print(f"{row.key}: {figures['bytes'][row.key] / _GIB:.2f} GiB", flush=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
