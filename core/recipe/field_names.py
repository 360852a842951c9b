"""What other programs call the fields of a recipe: a name from transformers, PEFT or TRL leads to the right one.

Standard library only, and it imports nothing of the recipe: `core.recipe.recipe` asks here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

ALIASES: Mapping[str, str] = {
    # transformers' TrainingArguments, TRL's SFTConfig and DPOConfig
    "auto_find_batch_size": "training.batch_size",
    "batch": "training.batch_size",
    "bf16": "model.dtype",
    "fp16": "model.dtype",
    "torch_dtype": "model.dtype",
    "precision": "model.dtype",
    "mixed_precision": "model.dtype",
    "per_device_train_batch_size": "training.batch_size",
    "train_batch_size": "training.batch_size",
    "micro_batch_size": "training.batch_size",
    "per_device_eval_batch_size": "training.eval_batch_size",
    "gradient_accumulation_steps": "training.gradient_accumulation",
    "grad_accum": "training.gradient_accumulation",
    "grad_accum_steps": "training.gradient_accumulation",
    "gradient_checkpointing": "training.activation_checkpointing",
    "num_train_epochs": "training.epochs",
    "num_epochs": "training.epochs",
    "n_epochs": "training.epochs",
    "epoch": "training.epochs",
    "steps": "training.max_steps",
    "num_steps": "training.max_steps",
    "lr": "training.learning_rate",
    "learning_rate_multiplier": "training.learning_rate",
    "lr_scheduler_type": "training.scheduler",
    "lr_scheduler": "training.scheduler",
    "warmup_ratio": "training.warmup",
    "warmup_steps": "training.warmup",
    "gradient_clipping": "training.max_grad_norm",
    "clip_grad": "training.max_grad_norm",
    "optim": "training.optimizer",
    "logging_steps": "training.log_every",
    "eval_steps": "training.eval_every",
    "evaluation_strategy": "training.eval_strategy",
    "save_steps": "training.save_every",
    "save_total_limit": "training.keep_checkpoints",
    "load_best_model_at_end": "training.keep_best",
    "metric_for_best_model": "training.best_metric",
    "min_lr_rate": "training.min_lr",
    "min_lr_ratio": "training.min_lr",
    "num_cycles": "training.lr_cycles",
    "num_decay_steps": "training.lr_decay",
    "decay_type": "training.lr_decay_shape",
    "lr_scheduler_kwargs": "training.scheduler",
    "optim_args": "training.optimizer",
    "adam_eps": "training.adam_epsilon",
    "betas": "training.adam_beta1",
    "use_liger_kernel": "training.liger",
    "liger_kernel": "training.liger",
    "torch_compile": "training.compile",
    "torch_compile_mode": "training.compile",
    "full_determinism": "training.deterministic",
    "save_weights_only": "training.save_only_model",
    "truncation_mode": "data.truncation",
    "truncation_side": "data.truncation",
    "early_stopping_patience": "training.early_stopping",
    "neftune_noise_alpha": "training.neftune_alpha",
    "data_seed": "training.seed",
    "gpus": "training.devices",
    "gpu": "training.devices",
    "device": "training.devices",
    "fsdp": "training.parallel",
    "run_name": "name",
    "output_dir": "name",
    "max_seq_length": "data.max_length",
    "max_seq_len": "data.max_length",
    "sequence_len": "data.max_length",
    "seq_len": "data.max_length",
    "max_prompt_length": "data.max_length",
    "cutoff_len": "data.max_length",
    "sample_packing": "data.packing",
    "assistant_only_loss": "data.loss_on",
    "completion_only_loss": "data.loss_on",
    "train_on_inputs": "data.loss_on",
    "train_on": "data.loss_on",
    "dataset": "data.train",
    "datasets": "data.train",
    "dataset_path": "data.train",
    "dataset_name": "data.train",
    "train_file": "data.train",
    "train_data": "data.train",
    "data_path": "data.train",
    "eval_file": "data.eval",
    "eval_dataset": "data.eval",
    "validation_file": "data.eval",
    "val_set_size": "data.eval_fraction",
    "test_size": "data.eval_fraction",
    "validation_split": "data.eval_fraction",
    "held_out": "data.eval_fraction",
    # PEFT's LoraConfig
    "r": "lora.rank",
    "lora_r": "lora.rank",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "target_modules": "lora.targets",
    "lora_target_modules": "lora.targets",
    "lora_target": "lora.targets",
    "exclude_modules": "lora.exclude",
    "layers_to_transform": "lora.layers",
    "rank_pattern": "lora.patterns",
    "alpha_pattern": "lora.patterns",
    "target_parameters": "lora.parameters",
    "trainable_token_indices": "lora.trained_tokens",
    "init_lora_weights": "lora.init",
    "loraplus_lr_ratio": "lora.plus_ratio",
    "num_virtual_tokens": "soft_prompt.tokens",
    "prefix_projection": "soft_prompt.projection",
    "feedforward_modules": "adapter.feedforward",
    "use_rslora": "lora.variant",
    "use_dora": "lora.variant",
    # models
    "model": "model.path",
    "base_model": "model.path",
    "model_id": "model.path",
    "model_name": "model.path",
    "model_name_or_path": "model.path",
    "pretrained_model_name_or_path": "model.path",
    "load_in_4bit": "model.quantization",
    "load_in_8bit": "model.quantization",
    "qlora": "model.quantization",
    "bits": "model.quantization",
    "bnb_4bit_quant_type": "model.quantization",
    "bnb_4bit_use_double_quant": "model.double_quantization",
    "attn_implementation": "model.attention",
    "flash_attention": "model.attention",
    # the rest
    "finetuning_type": "method",
    "adapter": "method",
    "stage": "task",
    "wandb_project": "reporting.project",
}
"""A name that people know from elsewhere, in lower case with `_`, and the field that it means here."""


def nearest_field(name: str, known: Iterable[str]) -> str:
    """The field that a name means: itself, one without its section, another program's name, or a near miss; else "".

    Args:
        name: as it was typed: `learning-rate`, `lora.r`, `per_device_train_batch_size`.
        known: the dotted fields that may be meant.
    """
    paths = {path: path.replace(".", "_") for path in known}
    typed = name.strip().lower().replace("-", "_")
    last = typed.rpartition(".")[2]
    exact = [path for path in paths if path == typed]
    by_name = [path for path in paths if path.rpartition(".")[2] == last]
    by_alias = [alias for alias in (ALIASES.get(typed.replace(".", "_")), ALIASES.get(last)) if alias in paths]
    flat = [path for path, joined in paths.items() if joined == typed.replace(".", "_")]
    if found := [*exact, *flat, *by_name[:1], *by_alias]:
        return found[0]
    names = {path.rpartition(".")[2]: path for path in reversed(paths)} | {path: path for path in paths}
    near = difflib.get_close_matches(typed, names, n=1, cutoff=0.75) or difflib.get_close_matches(
        last, names, n=1, cutoff=0.75
    )
    return names[near[0]] if near else ""
