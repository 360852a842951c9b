"""The base model: where it is and how its weights are held."""

from __future__ import annotations

import os
from dataclasses import dataclass

from core.recipe.conditions import Field, one_of
from core.recipe.declare import knob

_FROM_THE_HUB = Field("model.path", "is a name on the hub", "is a folder", lambda path: not os.path.isabs(path))


@dataclass(frozen=True, slots=True)
class Model:
    """The base model and how it is loaded."""

    path: str = knob(
        "",
        title="Model",
        path=True,
        help="A folder with config.json, tokenizer and safetensors weights, or a name on the Hugging Face hub "
        "(org/name). Pickled .bin weights are not loaded.",
        consequence="Twice the parameters: about twice the weight memory and half the speed.",
    )
    revision: str = knob(
        "",
        title="Revision",
        help="Branch, tag or commit of a hub model. Empty: its main branch.",
        consequence="A commit makes the run repeatable; a branch may move.",
        advanced=True,
        when=_FROM_THE_HUB,
    )
    trust_remote_code: bool = knob(
        False,
        title="Trust its code",
        help="Run Python code that comes with the model. Only for a model whose code you have read.",
        consequence="Yes: the model's own code runs with your rights.",
        advanced=True,
    )
    dtype: str = knob(
        "auto",
        title="Precision",
        help="Number format of weights and arithmetic.",
        consequence="float32 doubles the memory of 16 bits; float16 can overflow where bfloat16 does not.",
        choices={
            "auto": "bfloat16 on GPUs that have it (Ampere and newer), float16 on older ones, float32 on a CPU",
            "float32": "4 bytes a parameter; exact, slow on GPUs",
            "bfloat16": "2 bytes a parameter, the range of float32",
            "float16": "2 bytes a parameter, small range; for GPUs before Ampere",
        },
    )
    quantization: str = knob(
        "none",
        title="Quantization",
        help="Hold the frozen base in fewer bits and train LoRA on top (QLoRA). Needs an adapter: a quantized base "
        "itself cannot be trained.",
        consequence="nf4: weights take about a quarter of 16 bits, steps take about 40% longer.",
        choices={
            "none": "weights stay in the precision above",
            "nf4": "4-bit NormalFloat, the QLoRA format",
            "int8": "8-bit, LLM.int8()",
        },
        source="QLoRA, arXiv 2305.14314; step time: Raschka, Practical Tips for Finetuning LLMs (2023)",
    )
    double_quantization: bool = knob(
        True,
        title="Double quantization",
        help="Quantize the quantization constants too.",
        consequence="Saves about 0.37 bits a parameter: 0.35 GiB at 8 B parameters.",
        source="QLoRA, arXiv 2305.14314, section 3",
        advanced=True,
        when=one_of("model.quantization", "nf4"),
    )
    attention: str = knob(
        "auto",
        title="Attention",
        help="The attention kernel. flash_attention_2 must be installed; packing is safe with each of them.",
        consequence="eager keeps a matrix of length x length for each head: far more memory on long samples.",
        choices={
            "auto": "what transformers picks for the model, usually sdpa",
            "sdpa": "torch's own fused attention",
            "eager": "plain matrix products; slowest, for comparison",
            "flash_attention_2": "the flash-attn package; GPUs from Ampere",
        },
        advanced=True,
    )
    chat_template: str = knob(
        "",
        title="Chat template",
        path=True,
        help="Empty: the model's own. Else the name of a shipped template (chatml, llama3, ...) or a .jinja file. "
        "Loss on answers needs a template that marks them with {% generation %}.",
        consequence="Train and serve with the same template, or the model answers in a format nobody asked for.",
        advanced=True,
    )
