"""Loads a base and an adapter with peft and transformers alone: `python adapter_alone.py BASE ADAPTER OUT`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str]) -> int:
    """Writes the answer of the base, of the base with the adapter, and the modules of ours that were needed."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base, adapter, out = argv
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    talk = [{"role": "user", "content": "Where do I find the invoice of my team, please?"}]
    prompt = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt", return_dict=True)

    def answer() -> str:
        tokens = model.generate(**prompt, max_new_tokens=40, do_sample=False)
        text: str = tokenizer.decode(tokens[0][prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        return text

    before = answer()
    model = PeftModel.from_pretrained(model, adapter)
    Path(out).write_text(json.dumps({"base": before, "tuned": answer()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
