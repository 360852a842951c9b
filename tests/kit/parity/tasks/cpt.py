"""CPT: text, with a learning rate of its own for the embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.kit.parity.case import Case, Given


def plain(given: Given) -> Any:
    """A plain script around `trl.SFTTrainer` whose optimizer has groups for the embeddings."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    class EmbeddingRate(SFTTrainer):  # type: ignore[misc]
        def create_optimizer(self, model: Any = None) -> Any:
            decays = self.get_decay_parameter_names(self.model)
            groups: dict[tuple[bool, bool], list[Any]] = {}
            for name, weight in self.model.named_parameters():
                if weight.requires_grad:
                    embeds = "embed_tokens" in name or "lm_head" in name
                    groups.setdefault((embeds, name in decays), []).append(weight)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": weights,
                        "weight_decay": 0.1 if decay else 0.0,
                        "lr": 2e-3 if embeds else self.args.learning_rate,
                    }
                    for (embeds, decay), weights in sorted(groups.items(), key=lambda group: group[0][0])
                ],
                betas=(0.9, 0.999),
                eps=1e-8,
                fused=True,
            )
            return self.optimizer

    def rows(samples: Sequence[dict[str, Any]]) -> Dataset:
        return Dataset.from_list([{"text": each["text"]} for each in samples])

    options = dict(given.options)
    modules = options.pop("modules", None)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", modules_to_save=modules, task_type="CAUSAL_LM")
    return EmbeddingRate(
        model=AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        args=SFTConfig(**{**given.arguments, "learning_rate": 1e-2, "weight_decay": 0.1, "max_length": 64, **options}),
        train_dataset=rows(given.train),
        eval_dataset=rows(given.held_out),
        processing_class=AutoTokenizer.from_pretrained(given.model),
        peft_config=None if options.get("learning_rate") else lora,
    )


def _text(number: int) -> dict[str, Any]:
    things = ("harbor", "market", "signal", "garden", "river")
    line = f"Notes on the {things[number % 5]}: the {things[(number // 5) % 5]} opens at {number % 12} o'clock. "
    return {"kind": "text", "text": line * (1 + number % 4)}


_CPT = Case(
    "cpt",
    plain,
    {
        "task": "cpt",
        "data__packing": "none",
        "data__chunk_text": False,
        "lora__dropout": 0.0,
        "lora__modules_to_save": ("embed_tokens", "lm_head"),
        "training__learning_rate": 1e-2,
        "training__weight_decay": 0.1,
        "cpt__embedding_learning_rate": 2e-3,
    },
    [_text(number) for number in range(40)],
    [_text(number) for number in range(40, 48)],
    logged=("grad_norm", "learning_rate", "entropy", "mean_token_accuracy"),
    options={"modules": ["embed_tokens", "lm_head"]},
    ranks=True,
)

CASES = (
    _CPT,
    replace(
        _CPT,
        name="cpt-packed",
        ranks=False,
        changes={**_CPT.changes, "data__packing": "bfd_split"},
        options={**_CPT.options, "packing": True, "packing_strategy": "bfd_split"},
        tokens=False,  # the rows of a packed dataset are no samples
        soak=True,
    ),
    replace(
        _CPT,
        name="cpt-full",
        changes={**_CPT.changes, "method": "full", "lora__modules_to_save": (), "training__learning_rate": 1e-3},
        options={"learning_rate": 1e-3},
        soak=True,
    ),
)
