"""The base model: where it is and how its weights are loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass

from core.recipe.conditions import Field, one_of
from core.recipe.declare import knob
from core.recipe.witness import reading, run_loop

_FROM_THE_HUB = Field("model.path", "is a Hub model ID", "is a folder", lambda path: not os.path.isabs(path))


@dataclass(frozen=True, slots=True)
class Model:
    """The base model and how it is loaded."""

    path: str = knob(
        "",
        title="Model",
        path=True,
        help="A Hub model ID (org/name), or a folder with config.json, a tokenizer and safetensors weights. Pickled "
        ".bin weights are not loaded.",
        consequence=(
            "A model with twice the parameters needs about twice the memory for weights and trains at half the speed."
        ),
        witness=reading("base_path"),
    )
    revision: str = knob(
        "",
        title="Revision",
        help="The branch, tag or commit of a Hub model. Leave it empty for main.",
        consequence="A commit makes the run reproducible; a branch can change.",
        advanced=True,
        when=_FROM_THE_HUB,
        witness=run_loop("core.engine.load"),
    )
    trust_remote_code: bool = knob(
        False,
        title="Trust remote code",
        help="Runs Python code that comes with the model. Use it only for a model whose code you have read.",
        consequence="If yes, the model's code runs with your permissions.",
        advanced=True,
        witness=run_loop("core.engine.load"),
    )
    dtype: str = knob(
        "auto",
        title="Precision",
        help=(
            "The data type of weights and computation. With method full, auto picks float32 weights with 16-bit "
            "autocast if they fit in 90% of the free memory. The choice is made when the run starts and saved in its "
            "recipe."
        ),
        consequence=(
            "float32 needs twice the memory of 16 bits; float16 can overflow where bfloat16 does not. In pure "
            "bfloat16, most small updates are rounded away when every weight is trained."
        ),
        choices={
            "auto": "bfloat16 for adapters (float16 before Ampere); full: float32 weights, autocast; float32 on a CPU",
            "float32": "4 bytes per parameter; exact, slow on GPUs",
            "bfloat16": "2 bytes per parameter, with the range of float32",
            "float16": "2 bytes per parameter, small range; for GPUs before Ampere",
            "mixed_bfloat16": "float32 weights, bfloat16 computation (autocast); for training every weight",
            "mixed_float16": "float32 weights, float16 computation (autocast); for GPUs before Ampere",
        },
        witness=reading("precisions"),
    )
    quantization: str = knob(
        "none",
        title="Quantization",
        help="Loads the frozen base model in 4 or 8 bits and trains LoRA on top of it (QLoRA). The quantized weights "
        "themselves cannot be trained.",
        consequence="nf4 cuts the memory for weights to about a quarter of 16 bits and makes steps about 40% slower.",
        choices={
            "none": "weights keep the precision above",
            "nf4": "4-bit NormalFloat, the QLoRA format",
            "int8": "8-bit, LLM.int8()",
        },
        gone={
            **dict.fromkeys(("4bit", "4-bit", "int4", "4", "qlora"), "Use nf4: 4-bit weights."),
            **dict.fromkeys(("8bit", "8-bit", "8"), "Use int8: 8-bit weights."),
        },
        source="QLoRA, arXiv 2305.14314; step time: Raschka, Practical Tips for Finetuning LLMs (2023)",
        witness=reading("quantizations"),
    )
    double_quantization: bool = knob(
        True,
        title="Double quantization",
        help="Quantizes the quantization constants as well.",
        consequence="Saves about 0.37 bits per parameter: 0.35 GiB for an 8B model.",
        source="QLoRA, arXiv 2305.14314, section 3",
        advanced=True,
        when=one_of("model.quantization", "nf4"),
        witness=reading("double_quantizations"),
    )
    attention: str = knob(
        "auto",
        title="Attention",
        help="The attention kernel. flash_attention_2 and 3 are separate packages; packing is safe with all of them.",
        consequence="eager stores a length x length matrix per head, so long samples need far more memory.",
        choices={
            "auto": "what transformers picks for the model, usually sdpa",
            "sdpa": "PyTorch's fused attention",
            "eager": "plain matrix products; slowest, for comparison",
            "flash_attention_2": "the flash-attn package; Ampere GPUs and newer",
            "flash_attention_3": "the flash_attn_3 package; Hopper GPUs; not tested on a GPU yet",
            "flex_attention": "PyTorch's compiled attention; needs a GPU and a C compiler; not tested on a GPU yet",
        },
        advanced=True,
        witness=reading("attention_kernels"),
    )
    added_tokens: tuple[str, ...] = knob(
        (),
        title="Added tokens",
        help="New special tokens to add to the tokenizer, such as <|tool|>. The embedding grows if it has "
        "no room for them, and LoRA trains their rows.",
        consequence="The saved tokenizer includes them. Resize the base model's embedding before you load the adapter.",
        source="PEFT's trainable_token_indices",
        advanced=True,
        witness=reading("added_tokens"),
    )
    chat_template: str = knob(
        "",
        title="Chat template",
        path=True,
        help="Leave it empty for the model's own, or enter the name of a template that ships with tunedeck (chatml, "
        "llama3, ...) or a .jinja file. Training on answers needs a template that marks them with {% generation %}. "
        "none joins prompt and completion as plain text, as TRL does with prompt-completion data.",
        consequence="Serve the model with the same template, or its answers will be malformed. With none, use the "
        "completions endpoint, and end prompts exactly as in the data.",
        advanced=True,
        witness=run_loop("core.training.run"),
    )
