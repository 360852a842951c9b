"""The score of a reward model: a run of the task `reward`, or a sequence classifier with one label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.engine.rewards import Completions, RewardSetting, Score, Scorer
from core.errors import BadInput
from core.recipe.reward_models import weights_of, why_not_scoring
from core.recipe.sections.rewards import RewardEntry


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """Loads the model; its own tokenizer and chat template render prompt and answer, as TRL has it.

    Raises:
        BadInput: there is no such model, or it has not one score.
    """
    import torch

    model, tokenizer = _loaded(reward.model, setting)

    def score(batch: Completions) -> list[Score]:
        setting.tick()
        if isinstance(batch.prompts[0], str):
            texts = [prompt + answer for prompt, answer in zip(batch.prompts, batch.completions, strict=True)]
        else:
            talks = [[*prompt, *answer] for prompt, answer in zip(batch.prompts, batch.completions, strict=True)]
            texts = [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]
        inputs = tokenizer(
            text=texts, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False
        )
        with torch.inference_mode():
            logits = model(**{name: value.to(setting.device) for name, value in inputs.items()}).logits
        return [float(value) for value in logits[:, 0]]

    return score


def _loaded(name: str, setting: RewardSetting) -> tuple[Any, Any]:
    import torch
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    where = str(weights_of(name))
    if why := why_not_scoring(name):
        do = "Use a run of the task reward, or a sequence classifier with one label"
        raise BadInput(f"This is no reward model: {why}", where=clean_line(name, 200), do=do)
    adapted = Path(where, "adapter_config.json").exists()
    loader = AutoPeftModelForSequenceClassification if adapted else AutoModelForSequenceClassification
    dtype = torch.float32 if torch.device(setting.device).type == "cpu" else torch.bfloat16
    try:
        model = loader.from_pretrained(where, num_labels=1, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(where)
    except (OSError, ValueError, RuntimeError) as error:
        words = clean_line(str(error).strip().partition("\n")[0], 300)
        raise BadInput(
            f"Cannot load the reward model: {words}",
            where=clean_line(name, 200),
            do="Use a run of the task reward, or a sequence classifier with one label",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    model.eval().requires_grad_(False)
    return model.to(setting.device), tokenizer
