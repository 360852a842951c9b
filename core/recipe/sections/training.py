"""The training loop: learning rate, length, batch size, and what is saved along the way."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import Field, none_of, one_of, positive
from core.recipe.declare import knob
from core.recipe.devices import ranks_in
from core.recipe.sections.data import HELD_OUT
from core.recipe.witness import argument, reading, run_loop

_EVALUATED = HELD_OUT & positive("training.eval_every")
_SEVERAL_DEVICES = Field(
    "training.devices", "names several devices", "does not name several devices", lambda devices: ranks_in(devices) > 1
)


@dataclass(frozen=True, slots=True)
class Training:
    """The training loop."""

    learning_rate: float = knob(
        2e-4,
        title="Learning rate",
        help="The peak learning rate. LoRA needs about ten times that of full fine-tuning: 1e-4 to 5e-4 instead of "
        "1e-5 to 5e-5.",
        consequence="If it is too high, the loss spikes or diverges; if it is too low, nothing is learned.",
        gt=0,
        le=1,
        source="QLoRA, arXiv 2305.14314, appendix B (2e-4 up to 13B, 1e-4 above)",
        witness=argument("learning_rate"),
    )
    epochs: float = knob(
        2.0,
        title="Epochs",
        help="How many times each sample is seen. 1 to 3 suits most datasets; more tends to memorize.",
        consequence="Doubling the epochs doubles the time and overfits sooner.",
        gt=0,
        le=1000,
        witness=argument("num_train_epochs"),
    )
    max_steps: int = knob(
        0,
        title="Max steps",
        help="Stop after this many steps, regardless of epochs. Set 0 for no limit.",
        consequence="A pilot of 20 steps shows the speed, the memory and whether the loss falls.",
        unit="steps",
        ge=0,
        witness=argument("max_steps"),
    )
    batch_size: int = knob(
        4,
        title="Batch size",
        help="Samples per device and forward pass.",
        consequence="Activation memory grows in proportion; the GPU is better utilized.",
        unit="samples",
        ge=1,
        witness=argument("per_device_train_batch_size"),
    )
    gradient_accumulation: int = knob(
        4,
        title="Gradient accumulation",
        help="How many batches are accumulated before each optimizer step.",
        consequence="Gives a larger effective batch without more memory, and fewer steps per epoch.",
        unit="batches",
        ge=1,
        witness=argument("gradient_accumulation_steps"),
    )
    scheduler: str = knob(
        "linear",
        title="LR scheduler",
        help="How the learning rate changes after the warmup.",
        consequence="Decaying to zero ends at a lower loss than a constant learning rate.",
        choices={
            "linear": "linear decay to zero",
            "cosine": "cosine decay to zero",
            "constant": "no decay; warmup is ignored",
            "constant_with_warmup": "no decay after the warmup",
            "inverse_sqrt": "decays with the square root of the step",
            "polynomial": "linear decay to 1e-7",
        },
        source="transformers' default; Bergsma et al., arXiv 2502.15938",
        witness=argument("lr_scheduler_type"),
    )
    warmup: float = knob(
        0.03,
        title="Warmup",
        help="The learning rate rises from zero over this many steps; a value below 1 is a share of all steps.",
        consequence="If it is too short for a high learning rate, the loss spikes in the first steps.",
        unit="steps, or a share if below 1",
        ge=0,
        source="QLoRA's published script (0.03)",
        when=none_of("training.scheduler", "constant"),
        witness=argument("warmup_steps"),
    )
    weight_decay: float = knob(
        0.0,
        title="Weight decay",
        help="Pulls trainable weights toward zero. 0.01 to 0.1 is common in full fine-tuning.",
        consequence="With LoRA it decays the adapter, which pulls the model back toward the base model.",
        ge=0,
        le=1,
        source="transformers' default",
        advanced=True,
        witness=argument("weight_decay"),
    )
    max_grad_norm: float = knob(
        1.0,
        title="Clip gradients at",
        help="Gradients with a larger norm are scaled down to this norm. Set 0 to turn clipping off.",
        consequence="A lower value tames spikes; far below the usual norm it slows learning.",
        ge=0,
        source="transformers' default; QLoRA used 0.3",
        advanced=True,
        witness=argument("max_grad_norm"),
    )
    optimizer: str = knob(
        "adamw_torch_fused",
        title="Optimizer",
        help="The algorithm that updates the weights.",
        consequence="8-bit states need a quarter of the optimizer memory; with LoRA that is little to begin with.",
        choices={
            "adamw_torch_fused": "AdamW, fused into one kernel",
            "adamw_torch": "AdamW in many small kernels; slower on GPUs",
            "adamw_8bit": "AdamW with 8-bit states (bitsandbytes)",
            "paged_adamw_8bit": "8-bit states that move to RAM when GPU memory runs short (bitsandbytes)",
            "adafactor": "factored second moments; hardly any state",
            "lion_8bit": "one 8-bit state instead of two; needs a lower learning rate (bitsandbytes)",
            "sgd": "no state; rarely good enough for language models",
        },
        source="TRL's default; 8-bit optimizers, arXiv 2110.02861",
        advanced=True,
        witness=argument("optim"),
    )
    activation_checkpointing: bool = knob(
        True,
        title="Gradient checkpointing",
        help="Drops activations in the forward pass and recomputes them in the backward pass.",
        consequence="Needs a fraction of the activation memory and makes steps 20 to 30% slower.",
        source="TRL's default; Chen et al., arXiv 1604.06174",
        witness=argument("activation_checkpointing"),
    )
    group_by_length: bool = knob(
        False,
        title="Group by length",
        help="Puts samples of similar length into the same batch.",
        consequence="Trains faster because there is less padding; the loss curve becomes noisier.",
        advanced=True,
        when=one_of("data.packing", "none") & one_of("task", "sft"),
        witness=argument("train_sampling_strategy", lambda recipe: "group_by_length"),
    )
    neftune_alpha: float = knob(
        0.0,
        title="NEFTune alpha",
        help="Adds noise to the embeddings while training; the paper uses 5. Set 0 for none.",
        consequence="Answers become longer and chattier; it can help with small chat datasets.",
        ge=0,
        source="NEFTune, arXiv 2310.05914",
        advanced=True,
        witness=argument("neftune_noise_alpha"),
    )
    seed: int = knob(
        42,
        title="Seed",
        help="Decides the order of the samples, dropout and the adapter's initial weights.",
        consequence="The same seed on the same machine gives the same losses.",
        ge=0,
        le=2**32 - 1,
        witness=argument("seed"),
    )
    log_every: int = knob(
        1,
        title="Log every",
        help="Steps between points on the loss curve.",
        consequence="Logging every step costs almost nothing and hides nothing.",
        unit="steps",
        ge=1,
        advanced=True,
        witness=argument("logging_steps"),
    )
    eval_every: float = knob(
        0.1,
        title="Evaluate every",
        help="Steps between evaluations; a value below 1 is a share of all steps (0.1: ten evaluations). Set 0 for "
        "none.",
        consequence="More evaluations show overfitting sooner and make the run longer.",
        unit="steps, or a share if below 1",
        ge=0,
        when=HELD_OUT,
        witness=reading("eval_intervals", given="eval_dataset"),
    )
    eval_batch_size: int = knob(
        4,
        title="Eval batch size",
        help="Samples per device and forward pass during evaluation.",
        consequence="Changes the speed and memory of an evaluation, not the training.",
        unit="samples",
        ge=1,
        advanced=True,
        witness=argument("per_device_eval_batch_size"),
    )
    save_every: float = knob(
        0.25,
        title="Checkpoint every",
        help="Steps between checkpoints; a value below 1 is a share of all steps. Set 0 to save only at the end.",
        consequence="A crash loses at most the steps since the last checkpoint.",
        unit="steps, or a share if below 1",
        ge=0,
        witness=reading("save_intervals"),
    )
    keep_checkpoints: int = knob(
        2,
        title="Keep checkpoints",
        help="How many checkpoints to keep on disk; older ones are deleted.",
        consequence="Each checkpoint holds the trainable weights and the optimizer state.",
        ge=1,
        advanced=True,
        witness=run_loop("core.training.durable"),
    )
    early_stopping: int = knob(
        0,
        title="Early stopping",
        help="Stops the run after this many evaluations in a row without improvement in eval loss (or in the task's "
        "own metric, such as a reward). Set 0 to turn it off.",
        consequence="Saves the time that the run would only spend overfitting. If it is too low, a bump in the "
        "curve stops the run.",
        unit="evaluations",
        ge=0,
        source="transformers' EarlyStoppingCallback",
        when=_EVALUATED,
        witness=run_loop("core.training.best"),
    )
    early_stopping_threshold: float = knob(
        0.0,
        title="Minimum improvement",
        help="An evaluation only counts as an improvement if it beats the best one by more than this.",
        consequence="Above 0, a run that barely improves stops as well.",
        ge=0,
        source="transformers' EarlyStoppingCallback",
        advanced=True,
        when=_EVALUATED & positive("training.early_stopping"),
        witness=run_loop("core.training.best"),
    )
    keep_best: bool = knob(
        False,
        title="Keep best weights",
        help="Saves the weights with the best eval loss (or the task's own metric) at the end instead of the last "
        "weights.",
        consequence="Each new best evaluation saves a checkpoint, and the best one is kept in addition to the newest.",
        source="transformers' load_best_model_at_end",
        when=_EVALUATED,
        witness=run_loop("core.training.durable"),
    )
    devices: str = knob(
        "",
        title="Devices",
        help="GPU numbers as in nvidia-smi: 0, or 0,1 for one process on each; or UUIDs (GPU-..., MIG-...); cpu to "
        "train without a GPU (cpux2: two processes). Leave it empty for the first GPU in CUDA_VISIBLE_DEVICES, or the "
        "CPU if there is none.",
        consequence="Each device trains its own batch: two devices double the effective batch and halve the steps.",
        advanced=True,
        witness=run_loop("core.engine.ranks"),
    )
    parallel: str = knob(
        "ddp",
        title="Multi-GPU strategy",
        help="How several devices share the work.",
        consequence="fsdp splits weights, gradients and optimizer states across the GPUs; its speed depends on how "
        "they are connected.",
        choices={
            "ddp": "each device holds the whole model; gradients are averaged (DistributedDataParallel)",
            "fsdp": "each device holds a shard, for models that do not fit on one GPU (FSDP2)",
        },
        source="PyTorch FSDP, arXiv 2304.11277",
        advanced=True,
        when=_SEVERAL_DEVICES,
        witness=run_loop("core.engine.ranks"),
    )
    cpu_threads: int = knob(
        0,
        title="CPU threads",
        help="How many threads PyTorch uses on a CPU. Set 0 for PyTorch's default.",
        consequence="Using more threads than there are free cores makes steps many times slower.",
        unit="threads",
        ge=0,
        le=1024,
        advanced=True,
        witness=reading("cpu_threads"),
    )
