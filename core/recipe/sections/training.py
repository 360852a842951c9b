"""The training loop: how fast, how long, how much at once, and what is written on the way."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import Field, none_of, one_of, positive
from core.recipe.declare import knob
from core.recipe.devices import ranks_in
from core.recipe.sections.data import HELD_OUT

_EVALUATED = HELD_OUT & positive("training.eval_every")
_SEVERAL_DEVICES = Field(
    "training.devices", "names several devices", "names no more than one device", lambda devices: ranks_in(devices) > 1
)


@dataclass(frozen=True, slots=True)
class Training:
    """The training loop."""

    learning_rate: float = knob(
        2e-4,
        title="Learning rate",
        help="The peak step size. LoRA takes about ten times that of full fine-tuning: 1e-4 to 5e-4 against "
        "1e-5 to 5e-5.",
        consequence="Too high: loss spikes or nonsense. Too low: nothing is learned.",
        gt=0,
        le=1,
        source="QLoRA, arXiv 2305.14314, appendix B (2e-4 up to 13 B, 1e-4 above)",
    )
    epochs: float = knob(
        2.0,
        title="Epochs",
        help="How often each sample is seen. 1 to 3 for most data; more memorises.",
        consequence="Twice the epochs: twice the time, and sooner overfitting.",
        gt=0,
        le=1000,
    )
    max_steps: int = knob(
        0,
        title="Max steps",
        help="End after this many steps, whatever the epochs. 0: the epochs decide.",
        consequence="A pilot of 20 steps shows speed, memory and whether the loss falls.",
        unit="steps",
        ge=0,
    )
    batch_size: int = knob(
        4,
        title="Batch size",
        help="Samples at once on each device.",
        consequence="Activation memory grows in proportion; the GPU is busier.",
        unit="samples",
        ge=1,
    )
    gradient_accumulation: int = knob(
        4,
        title="Accumulation",
        help="Batches whose gradients are added up before one step.",
        consequence="A larger effective batch without more memory; fewer steps an epoch.",
        unit="batches",
        ge=1,
    )
    scheduler: str = knob(
        "linear",
        title="Scheduler",
        help="How the learning rate moves after the warmup.",
        consequence="Falling to zero ends on a lower loss than a constant rate.",
        choices={
            "linear": "straight down to zero",
            "cosine": "down to zero along half a cosine",
            "constant": "stays; warmup is ignored",
            "constant_with_warmup": "stays after the warmup",
            "inverse_sqrt": "falls with the square root of the step",
            "polynomial": "straight down to 1e-7",
        },
        source="transformers' default; Bergsma et al., arXiv 2502.15938",
    )
    warmup: float = knob(
        0.03,
        title="Warmup",
        help="The learning rate rises from zero over this many steps; below 1 it is a share of all steps.",
        consequence="Too short at a high learning rate: the first steps spike.",
        unit="steps, or a share below 1",
        ge=0,
        source="QLoRA's published script (0.03)",
        when=none_of("training.scheduler", "constant"),
    )
    weight_decay: float = knob(
        0.0,
        title="Weight decay",
        help="Pulls trained weights towards zero. 0.01 to 0.1 is common in full fine-tuning.",
        consequence="Decays the adapter, so it pulls back towards the base model.",
        ge=0,
        le=1,
        source="transformers' default",
        advanced=True,
    )
    max_grad_norm: float = knob(
        1.0,
        title="Clip gradients at",
        help="A gradient with a larger norm is scaled down to it. 0: never.",
        consequence="Lower tames spikes; far below the usual norm it slows learning.",
        ge=0,
        source="transformers' default; QLoRA used 0.3",
        advanced=True,
    )
    optimizer: str = knob(
        "adamw_torch_fused",
        title="Optimizer",
        help="What turns gradients into steps.",
        consequence="8-bit states take a quarter of the optimizer's memory; with LoRA that is little to begin with.",
        choices={
            "adamw_torch_fused": "AdamW with 32-bit or the weights' own states, in one kernel",
            "adamw_torch": "the same in many small kernels; slower on GPUs",
            "adamw_8bit": "AdamW with 8-bit states (bitsandbytes)",
            "paged_adamw_8bit": "8-bit states that move to RAM under pressure (bitsandbytes, GPU)",
            "adafactor": "factored second moments, hardly any state",
            "lion_8bit": "one state instead of two, in 8 bits; wants a lower learning rate (bitsandbytes)",
            "sgd": "no state; rarely enough for language models",
        },
        source="TRL's default; 8-bit optimizers, arXiv 2110.02861",
        advanced=True,
    )
    activation_checkpointing: bool = knob(
        True,
        title="Checkpoint activations",
        help="Forget activations on the way forward and compute them again on the way back.",
        consequence="Yes: a fraction of the activation memory, steps 20 to 30% slower.",
        source="TRL's default; Chen et al., arXiv 1604.06174",
    )
    group_by_length: bool = knob(
        False,
        title="Group by length",
        help="Batches of samples of similar length.",
        consequence="Less padding, so faster; the loss curve gets bumpier.",
        advanced=True,
        when=one_of("data.packing", "none") & one_of("task", "sft"),
    )
    neftune_alpha: float = knob(
        0.0,
        title="NEFTune noise",
        help="Noise on the embeddings while training; 5 is the paper's value. 0: none.",
        consequence="Longer, chattier answers; can help small chat data sets.",
        ge=0,
        source="NEFTune, arXiv 2310.05914",
        advanced=True,
    )
    seed: int = knob(
        42,
        title="Seed",
        help="Order of the samples, dropout and the adapter's first weights follow from it.",
        consequence="The same seed on the same machine: the same losses.",
        ge=0,
        le=2**32 - 1,
    )
    log_every: int = knob(
        1,
        title="Log every",
        help="Steps between two points of the loss curve.",
        consequence="1 costs next to nothing and hides nothing.",
        unit="steps",
        ge=1,
        advanced=True,
    )
    eval_every: float = knob(
        0.1,
        title="Evaluate every",
        help="Steps between two evaluations; below 1 it is a share of all steps (0.1: ten times). 0: never.",
        consequence="Oftener: overfitting is seen sooner, the run takes longer.",
        unit="steps, or a share below 1",
        ge=0,
        when=HELD_OUT,
    )
    eval_batch_size: int = knob(
        4,
        title="Eval batch size",
        help="Samples at once while evaluating, on each device.",
        consequence="Changes speed and memory of an evaluation, not the training.",
        unit="samples",
        ge=1,
        advanced=True,
    )
    save_every: float = knob(
        0.25,
        title="Checkpoint every",
        help="Steps between two checkpoints; below 1 it is a share of all steps. 0: none before the end.",
        consequence="A crash loses at most the steps since the last one.",
        unit="steps, or a share below 1",
        ge=0,
    )
    keep_checkpoints: int = knob(
        2,
        title="Keep checkpoints",
        help="How many checkpoints stay on disk; older ones are deleted.",
        consequence="Each holds the adapter and the optimizer's state.",
        ge=1,
        advanced=True,
    )
    early_stopping: int = knob(
        0,
        title="Stop early after",
        help="Evaluations in a row without a better eval loss, after which the run ends by itself. 0: never. "
        "Tasks that are judged by another metric, such as a reward, use that one.",
        consequence="Saves the hours in which it only overfits; too few ends on a bump of the curve.",
        unit="evaluations",
        ge=0,
        source="transformers' EarlyStoppingCallback",
        when=_EVALUATED,
    )
    early_stopping_threshold: float = knob(
        0.0,
        title="Least gain",
        help="An evaluation counts as better only if it beats the best one by more than this.",
        consequence="Above 0, a run that only creeps ends, too.",
        ge=0,
        source="transformers' EarlyStoppingCallback",
        advanced=True,
        when=_EVALUATED & positive("training.early_stopping"),
    )
    keep_best: bool = knob(
        False,
        title="Save the best",
        help="Save the weights with the best eval loss, or other metric of the task, at the end, not the last ones.",
        consequence="Yes: each new best is a checkpoint, and the best one stays beside the newest.",
        source="transformers' load_best_model_at_end",
        when=_EVALUATED,
    )
    devices: str = knob(
        "",
        title="Devices",
        help="GPUs by their numbers, as nvidia-smi counts: 0, or 0,1 for a process on each; cpu for none (cpux2: two "
        "processes). Empty: the first GPU, else the CPU.",
        consequence="Each device takes a batch of its own: two make twice the effective batch, and half the steps.",
        advanced=True,
    )
    parallel: str = knob(
        "ddp",
        title="Several devices",
        help="How they share the work.",
        consequence="fsdp divides weights, gradients and optimizer by the GPUs, and waits for their links.",
        choices={
            "ddp": "each holds the whole model; gradients are averaged (torch DistributedDataParallel)",
            "fsdp": "each holds a part of the model, for one that does not fit on a single GPU (torch FSDP2)",
        },
        source="PyTorch FSDP, arXiv 2304.11277",
        advanced=True,
        when=_SEVERAL_DEVICES,
    )
    cpu_threads: int = knob(
        0,
        title="CPU threads",
        help="Threads that torch computes with on a CPU. 0: torch's own choice.",
        consequence="More than there are free cores makes steps many times slower.",
        unit="threads",
        ge=0,
        le=1024,
        advanced=True,
    )
