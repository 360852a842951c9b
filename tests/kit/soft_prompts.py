"""With which model types vectors before the prompt work: `python -m tests.kit.soft_prompts` writes the list."""

from __future__ import annotations

import json
import sys
import warnings

import peft
import torch

from core.recipe.families import families
from core.recipe.soft_prompt_families import FILE
from tests.kit.model_families import tiny

_CONFIGS = {
    "prefix": lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prompt": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "p_tuning": lambda: peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=8, encoder_num_layers=2
    ),
}


def works(model_type: str, method: str) -> bool:
    """Whether a small model of a family trains all of its vectors and then answers."""
    torch.manual_seed(0)
    ids = torch.arange(3, 13)[None]
    mask = torch.ones_like(ids)
    try:
        model = peft.get_peft_model(tiny(model_type, vocabulary=64), _CONFIGS[method]())
        model(input_ids=ids, attention_mask=mask, labels=ids).loss.backward()
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        model.eval()
        model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=3, do_sample=False)
    except Exception:  # in a hundred ways
        return False
    return all(weight.grad is not None and bool(weight.grad.any()) for weight in trained)


def main() -> int:
    """Writes the list of every family that can be trained."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    told = {name for name, each in families().items() if each["kind"] in ("causal", "multimodal")}
    told -= {name for name in told if families()[name].get("misses_loss") or families()[name].get("needs_images")}
    found = {method: [name for name in sorted(told) if works(name, method)] for method in sorted(_CONFIGS)}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
