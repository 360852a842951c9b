# ruff: noqa: E501 - lines of a page
"""`docs/adapters.md` from the rows: `python -m core.recipe.adapters_document > docs/adapters.md`; a test compares."""

from __future__ import annotations

import sys

from core.recipe.adapters import ADAPTERS, Adapter
from core.recipe.adapters.conflicts import CONFLICTS
from core.recipe.recipe import Recipe, put

_HEAD = """\
# Adapters

Which weights a run trains: each value of `method`, with the fields of its section. Written by
`python -m core.recipe.adapters_document`; change the rows in `core/recipe/adapters/`, not this page.

## Methods

| `method` | what it is | section | over nf4 / int8 | merges into | source |
|---|---|---|---|---|---|
"""

_LORA = """
LoRA's own variants are fields of its section:

| what | field | saved as |
|---|---|---|
| QLoRA | `model.quantization: nf4` (or `int8`) | a LoRA adapter |
| rsLoRA, DoRA | `lora.variant` | a LoRA adapter |
| LoRA+ | `lora.plus_ratio`: the learning rate of B divided by that of A, by PEFT's own optimizer | a LoRA adapter |
| PiSSA, OLoRA | `lora.init` | a LoRA adapter of twice the rank: the difference from its starting point, which fits the unchanged base model |
| EVA | `lora.init: eva`: reads up to 32 batches of your data before the first step; every layer keeps its rank | a LoRA adapter |

- **Trainable parameters** are counted from the shapes of the model's tensors. For every method, tests compare the count with PEFT's.
- **Targets** (`lora.targets`, `adapter.targets`) are names that a layer's name ends with, `all-linear`, or a regular expression between slashes that has to match
  the whole name: `/.*layers\\.[0-9]+\\.mlp\\..*/`. `exclude` removes layers, `layers` keeps `0-7`, `12` or `last 8`, and `lora.patterns` gives some of
  them a different rank or alpha. Where peft would read a setting differently, it gets the full list of layers. A name that matches nothing is refused, with the names that exist.
- **Experts**: transformers keeps all experts of a layer in one weight. `all-linear` reaches it, and so does its name in `lora.parameters`. Dropout and DoRA do not work there.
- **Tokens**: `model.added_tokens` are added to the tokenizer; the embedding grows if it has no room, each new row the mean of the others. LoRA trains their rows, and
  those of `lora.trained_tokens`, beside the adapter. Before such an adapter is loaded, the base model must be resized; Export shows the code.
- **Virtual tokens** (`prompt`, `p_tuning`, `prefix`) work with the model types in `core/recipe/soft_prompt_families.json`, which was measured. The network of P-tuning
  and of a projected prefix is only in the checkpoints, so a run resumes to the same bits; the saved adapter has only the vectors.
- **Several GPUs**: every method trains with `ddp`. `fsdp` splits LoRA and full fine-tuning.
- **Settings that do nothing** are not offered: PEFT's `kasa_config`, `monteclora_config` and `use_bdlora` train like plain LoRA over NF4, and `lora_ga` does without its own
  preprocessing. Every setting is looked up in the built model before the first step, and one without effect stops the run.

## Combinations that do not work

| field | why not, and what works |
|---|---|
"""

_END = """
Not tested on a GPU yet. Merging into 4-bit and 8-bit weights is done by PEFT and was measured on a CPU.
"""


def document() -> str:
    """The page."""
    rows = "".join(f"| {' | '.join(_row(adapter))} |\n" for adapter in ADAPTERS)
    pairs = "".join(f"| `{one.path}` | {one.sentence} |\n" for one in CONFLICTS)
    return f"{_HEAD}{rows}{_LORA}{pairs}{_quantized()}{_END}"


def _row(adapter: Adapter) -> tuple[str, ...]:
    fields = ", ".join(f"`{name}`" for name in adapter.fields)
    section = f"`{adapter.section}`{f': {fields}' if fields else ''}" if adapter.section else ""
    recipe = put(Recipe(), "method", adapter.kind)
    over = " / ".join("no" if adapter.over_quantized(recipe, each) else "yes" for each in ("nf4", "int8"))
    merges = "nothing to merge" if adapter.whole else ", ".join(_BASES[each] for each in adapter.merges) or "never"
    meaning = adapter.meaning[0].upper() + adapter.meaning[1:]
    return f"`{adapter.kind}`", f"{meaning}.", section, over, merges, adapter.source


_BASES = {"none": "16 and 32 bits", "nf4": "nf4", "int8": "int8"}


def _quantized() -> str:
    """What each kind says of quantized weights, once a sentence."""
    settings: tuple[dict[str, str], ...] = ({}, {"lora.variant": "dora"}, {"lora.init": "pissa"})
    found: dict[str, str] = {}
    for adapter in ADAPTERS:
        for chosen in settings:
            recipe = put(Recipe(), "method", adapter.kind)
            for path, value in chosen.items():
                recipe = put(recipe, path, value)
            for quantization in ("nf4", "int8"):
                if problem := adapter.over_quantized(recipe, quantization):
                    found.setdefault(
                        problem.sentence.replace("int8", "nf4"), f"| `{problem.path}` | {problem.sentence} |\n"
                    )
    return "".join(found.values())


if __name__ == "__main__":
    sys.stdout.write(document())
