"""Weights that are stored quantized: which of them can be trained on, and where the unquantized ones may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NEEDS = {
    "gptq": ("GPTQ", "the package gptqmodel and a GPU"),
    "awq": ("AWQ", "the package gptqmodel and a GPU"),
    "fp8": ("FP8", "kernels without training support"),
    "fbgemm_fp8": ("FBGEMM FP8", "kernels without training support"),
    "mxfp4": ("MXFP4", "kernels without training support"),
    "compressed-tensors": ("compressed-tensors", "the package compressed-tensors"),
    "modelopt": ("ModelOpt", "NVIDIA's inference engines"),
    "hqq": ("HQQ", "the package hqq"),
    "eetq": ("EETQ", "the package kernels and a GPU"),
    "aqlm": ("AQLM", "the package aqlm"),
    "quanto": ("Quanto", "the package optimum-quanto"),
    "torchao": ("torchao", "the package torchao"),
    "higgs": ("HIGGS", "the package flute-kernel"),
    "vptq": ("VPTQ", "the package vptq"),
    "spqr": ("SpQR", "the package spqr_quant"),
    "quark": ("Quark", "the package amd-quark"),
    "bitnet": ("BitNet", "training from scratch in that format"),
    "auto-round": ("AutoRound", "the package auto-round"),
    "sinq": ("SINQ", "the package sinq"),
    "exl2": ("EXL2", "the engine ExLlamaV2"),
    "exl3": ("EXL3", "the engine ExLlamaV3"),
    "marlin": ("Marlin", "the engine vLLM"),
}
"""Methods by their name in config.json: what people call them, and what it takes to load such weights."""

_BITSANDBYTES = frozenset(("bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit"))

_SUFFIX = re.compile(
    r"[-_.]("
    r"gptq|awq|aqlm|hqq|eetq|torchao|quark|autoround|auto[-_]round|exl[23]|bnb[-_][48]bits?|unsloth[-_]bnb[-_]4bit|mxfp4|nvfp4|"
    r"fp8([-_](dynamic|block|kv))?|w[48]a(4|8|16)|g\d+|int[48]|[248]bits?|quantized([-_.]w[48]a(4|8|16))?|marlin"
    r")+$",
    re.IGNORECASE,
)
_OWNERS = frozenset(
    ("qwen", "meta-llama", "mistralai", "google", "deepseek-ai", "microsoft", "ibm-granite", "tiiuae", "allenai")
) | frozenset(("huggingfacetb", "nvidia", "zai-org", "thudm", "openbmb", "internlm", "lgai-exaone", "coherelabs"))
"""Publishers that release the 16-bit weights under the same name without the method's suffix."""

_CONVERTED = {
    "openai/gpt-oss-20b": "unsloth/gpt-oss-20b-BF16",
    "openai/gpt-oss-120b": "unsloth/gpt-oss-120b-BF16",
}
"""Models that were only published quantized, and a 16-bit copy of each."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CACHED = re.compile(r"models--([^/]+?)--([^/]+)")
_BASE = re.compile(r"^base_model:[ \t]*(?:\n[ \t]*-[ \t]*)?[\"']?([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)", re.MULTILINE)
_README_LIMIT = 20_000


def method_of(config: Mapping[str, Any]) -> str:
    """The method by which the stored weights are quantized (`bitsandbytes`, `gptq`), by `config.json`; or ""."""
    said = config.get("quantization_config")
    if not isinstance(said, Mapping):
        said = config.get("compression_config")
        return "compressed-tensors" if isinstance(said, Mapping) else ""
    named = str(said.get("quant_method") or "").lower()
    if named:
        return "bitsandbytes" if named in _BITSANDBYTES else named
    return "bitsandbytes" if said.get("load_in_4bit") or said.get("load_in_8bit") else "an unnamed method"


def can_be_trained_on(method: str) -> bool:
    """Whether an adapter can be trained over weights that are stored so; "" is not quantized."""
    return method in ("", "bitsandbytes")


def title_of(method: str) -> str:
    """What people call a method."""
    return _NEEDS.get(method, (method,))[0]


def refusal(method: str, base: str) -> str:
    """Why weights that are stored so cannot be trained on, and what can, in two sentences.

    Args:
        method: by `method_of`.
        base: the 16-bit model that they were made from, or "" where it is not known.
    """
    title, needs = _NEEDS.get(method, (method, "a loader that tunedeck does not have"))
    instead = f"Use the 16-bit model {base}" if base else "Use 16-bit weights of the same model"
    return (
        f"The weights are quantized with {title} and cannot be trained here: loading them needs {needs}. {instead}, "
        "with quantization nf4 if memory is short."
    )


def base_of(folder: Path, config: Mapping[str, Any]) -> str:
    """The Hub ID of the model that quantized weights were made from, or its mere name; "" where nothing tells.

    Args:
        folder: of the model; its README.md may name the base, and its path the Hub ID.
        config: its config.json.
    """
    cached = _CACHED.search(str(folder))
    own = f"{cached[1]}/{cached[2]}" if cached else f"{folder.parent.name}/{folder.name}"
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as stream:
            head = stream.read(_README_LIMIT)
    except OSError:
        head = ""
    front = head.split("\n---", 1)[0] if head.startswith("---") else ""
    named = match[1] if (match := _BASE.search(front)) else ""
    if not named:
        named = str(config.get("base_model") or config.get("_name_or_path") or "")
    if _HUB_ID.fullmatch(named) and named != own and not _SUFFIX.search(named):
        return named
    if own.lower() in _CONVERTED:
        return _CONVERTED[own.lower()]
    shorter = _without_suffix(own)
    if shorter == own:
        return ""
    owner, _, name = shorter.partition("/")
    return shorter if owner.lower() in _OWNERS else name


def _without_suffix(name: str) -> str:
    while (shorter := _SUFFIX.sub("", name)) != name:
        name = shorter
    return name
