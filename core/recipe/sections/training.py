"""The training loop: learning rate, length, batch size, and what is saved along the way."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import Field, on, one_of, positive
from core.recipe.declare import knob
from core.recipe.devices import ranks_in
from core.recipe.optimizers import ELSEWHERE, OPTIMIZERS, optimizers_with
from core.recipe.schedulers import SCHEDULERS, highest_rate, least_rate, schedulers_with
from core.recipe.sections.data import HELD_OUT
from core.recipe.tasks import tasks_supporting
from core.recipe.witness import argument, reading, run_loop

_EVALUATED = HELD_OUT & (one_of("training.eval_strategy", "epoch") | positive("training.eval_every"))
_STRATEGIES = {"steps": "every N steps, or at a share of all steps", "epoch": "at the end of each epoch"}
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
        help="How many times each sample is seen. 1 to 3 suits most datasets; more than 5 almost always overfits.",
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
        choices={each.name: each.meaning for each in SCHEDULERS.values()},
        gone={"wsd": "WSD is called warmup_stable_decay: use that."},
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
        when=schedulers_with("training.warmup"),
        witness=argument("warmup_steps"),
    )
    min_lr: float = knob(
        0.1,
        title="Minimum LR",
        help="The lowest learning rate, as a share of the peak: 0.1 for a tenth.",
        consequence="Above 0, the model keeps learning until the last step. A tenth of the peak is common.",
        unit="of the peak",
        ge=0,
        lt=1,
        source="Llama, arXiv 2302.13971 (10%)",
        advanced=True,
        when=schedulers_with("training.min_lr"),
        witness=reading("scheduler_arguments", least_rate),
    )
    lr_cycles: int = knob(
        2,
        title="LR cycles",
        help="How many times the cosine starts over at the peak learning rate.",
        consequence="The loss rises after each restart. With 1 cycle it is plain cosine.",
        unit="cycles",
        ge=1,
        le=1000,
        source="SGDR, arXiv 1608.03983",
        advanced=True,
        when=schedulers_with("training.lr_cycles"),
        witness=reading("scheduler_arguments"),
    )
    lr_decay: float = knob(
        0.2,
        title="LR decay phase",
        help="The learning rate falls over this many steps at the end; a value below 1 is a share of all steps.",
        consequence="Most of the improvement of WSD happens in this phase. 10 to 20% of the steps is common.",
        unit="steps, or a share if below 1",
        gt=0,
        source="Hagele et al., arXiv 2405.18392 (20%)",
        advanced=True,
        when=schedulers_with("training.lr_decay"),
        witness=reading("scheduler_arguments"),
    )
    lr_decay_shape: str = knob(
        "1-sqrt",
        title="LR decay shape",
        help="How the learning rate falls in the decay phase.",
        consequence="1-sqrt falls fast at first and ended at a slightly lower loss than linear in the paper.",
        choices={"1-sqrt": "one minus the square root", "linear": "a straight line", "cosine": "half a cosine"},
        source="Hagele et al., arXiv 2405.18392",
        advanced=True,
        when=schedulers_with("training.lr_decay_shape"),
        witness=reading("scheduler_arguments"),
    )
    lr_power: float = knob(
        1.0,
        title="Polynomial power",
        help="The exponent of the decay: 1 is a straight line, 2 falls fast at first.",
        consequence="A higher power spends more steps at a low learning rate.",
        gt=0,
        le=10,
        advanced=True,
        when=schedulers_with("training.lr_power"),
        witness=reading("scheduler_arguments"),
    )
    lr_end: float = knob(
        1e-7,
        title="Final LR",
        help="The learning rate at the last step. It has to be below the peak.",
        consequence="The default is practically zero.",
        ge=0,
        lt=1,
        source="transformers' default",
        advanced=True,
        when=schedulers_with("training.lr_end"),
        witness=reading("scheduler_arguments"),
    )
    lr_timescale: int = knob(
        0,
        title="LR timescale",
        help="The learning rate falls to 1/sqrt(2) of the peak this many steps after the warmup. Set 0 for the number "
        "of warmup steps (10,000 without a warmup).",
        consequence="A short timescale decays early; with a short warmup, 0 decays within a few steps.",
        unit="steps",
        ge=0,
        advanced=True,
        when=schedulers_with("training.lr_timescale"),
        witness=reading("scheduler_arguments"),
    )
    lr_factor: float = knob(
        0.5,
        title="LR factor",
        help="The learning rate is multiplied by this when the eval metric stops improving. greedy also divides by it "
        "when the metric improves.",
        consequence="0.5 halves it; PyTorch's default of 0.1 is harsher.",
        gt=0,
        lt=1,
        advanced=True,
        when=schedulers_with("training.lr_factor"),
        witness=reading("scheduler_arguments"),
    )
    lr_patience: int = knob(
        1,
        title="LR patience",
        help="How many evaluations in a row may pass without improvement (for greedy, also with it) before the "
        "learning rate changes.",
        consequence="If it is too low, one bump in the curve lowers the learning rate permanently.",
        unit="evaluations",
        ge=0,
        advanced=True,
        when=schedulers_with("training.lr_patience"),
        witness=reading("scheduler_arguments"),
    )
    max_lr: float = knob(
        2.0,
        title="Maximum LR",
        help="The highest learning rate that greedy may reach, as a multiple of the learning rate.",
        consequence="If it is too high, the loss can spike or diverge.",
        unit="times the learning rate",
        ge=1,
        le=1000,
        source="GreedyLR, arXiv 2512.14527",
        advanced=True,
        when=schedulers_with("training.max_lr"),
        witness=reading("scheduler_arguments", highest_rate),
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
        choices={each.name: each.meaning for each in OPTIMIZERS.values()},
        gone=ELSEWHERE,
        source="TRL's default; 8-bit optimizers, arXiv 2110.02861",
        advanced=True,
        witness=argument("optim"),
    )
    adam_beta1: float = knob(
        0.9,
        title="Beta 1",
        help="How much of the running mean of the gradients is kept at each step.",
        consequence="Higher is smoother and slower to react.",
        ge=0,
        lt=1,
        source="transformers' default",
        advanced=True,
        when=optimizers_with("training.adam_beta1"),
        witness=argument("adam_beta1"),
    )
    adam_beta2: float = knob(
        0.999,
        title="Beta 2",
        help="How much of the running mean of the squared gradients is kept at each step (lion: of its momentum).",
        consequence="0.95 to 0.99 follows changes faster and is common for short runs and large batches; lion's paper "
        "uses 0.99.",
        ge=0,
        lt=1,
        source="transformers' default; Lion, arXiv 2302.06675",
        advanced=True,
        when=optimizers_with("training.adam_beta2"),
        witness=argument("adam_beta2"),
    )
    adam_epsilon: float = knob(
        1e-8,
        title="Epsilon",
        help="Added to the denominator of each update, so that it cannot explode where gradients are tiny.",
        consequence="A larger value damps updates of rarely trained weights.",
        gt=0,
        lt=1,
        source="transformers' default",
        advanced=True,
        when=optimizers_with("training.adam_epsilon"),
        witness=argument("adam_epsilon"),
    )
    momentum: float = knob(
        0.0,
        title="Momentum",
        help="How much of the last update is added to the next one. 0 for none, 0.9 is common.",
        consequence="With momentum, the optimizer keeps one state per parameter.",
        ge=0,
        lt=1,
        advanced=True,
        when=optimizers_with("training.momentum"),
        witness=reading("optimizer_arguments"),
    )
    ademamix_alpha: float = knob(
        5.0,
        title="AdEMAMix alpha",
        help="The weight of the slow running mean of the gradients beside the fast one.",
        consequence="0 makes it AdamW. The slow mean needs thousands of steps to help.",
        ge=0,
        le=100,
        source="AdEMAMix, arXiv 2409.03137",
        advanced=True,
        when=optimizers_with("training.ademamix_alpha"),
        witness=reading("optimizer_arguments"),
    )
    ademamix_beta3: float = knob(
        0.9999,
        title="AdEMAMix beta 3",
        help="How much of the slow running mean is kept at each step.",
        consequence="0.9999 remembers about 10,000 steps; use less for shorter runs.",
        ge=0,
        lt=1,
        source="AdEMAMix, arXiv 2409.03137",
        advanced=True,
        when=optimizers_with("training.ademamix_beta3"),
        witness=reading("optimizer_arguments"),
    )
    activation_checkpointing: bool = knob(
        True,
        title="Gradient checkpointing",
        help="Drops activations in the forward pass and recomputes them in the backward pass.",
        consequence="Needs a fraction of the activation memory and makes steps 20 to 30% slower.",
        source="TRL's default; Chen et al., arXiv 1604.06174",
        witness=argument("activation_checkpointing"),
    )
    activation_offloading: bool = knob(
        False,
        title="Activation offloading",
        help="Moves what the backward pass needs to RAM and back. Needs a GPU.",
        consequence="Saves more GPU memory on top of gradient checkpointing; steps take longer, depending on the PCIe "
        "bandwidth. Not tested on a GPU yet.",
        source="TRL's activation_offloading",
        advanced=True,
        when=tasks_supporting("training.activation_offloading"),
        witness=argument("activation_offloading"),
    )
    liger: bool = knob(
        False,
        title="Liger kernels",
        help="Replaces norms, rotary embeddings and activations with fused Triton kernels (liger-kernel). Needs a GPU. "
        "The loss stays TRL's, which is already fused.",
        consequence="Saves some activation memory and time; losses differ in the last digits. Not tested on a GPU yet.",
        source="Liger Kernel, arXiv 2410.10989",
        advanced=True,
        witness=argument("use_liger_kernel"),
    )
    compile: str = knob(
        "none",
        title="torch.compile",
        help="Compiles the model into fused kernels. Needs a GPU and a C compiler.",
        consequence="The first steps take minutes; later ones are faster. Each new sequence length can compile again. "
        "Not tested on a GPU yet.",
        choices={
            "none": "no compilation",
            "default": "a balance of compile time and speed",
            "reduce-overhead": "also records CUDA graphs; needs more memory",
            "max-autotune": "searches for the fastest kernels; compiles longest",
        },
        source="PyTorch, torch.compile",
        advanced=True,
        witness=argument("torch_compile_mode"),
    )
    tf32: bool = knob(
        False,
        title="TF32",
        help="Computes float32 matrix products with 10-bit mantissas on Ampere GPUs and newer.",
        consequence="Several times faster than float32 and slightly less exact. Not tested on a GPU yet.",
        source="NVIDIA A100 whitepaper; PyTorch's default is no",
        advanced=True,
        when=one_of("model.dtype", "float32"),
        witness=argument("tf32"),
    )
    expandable_segments: bool = knob(
        False,
        title="Expandable segments",
        help="Lets PyTorch's GPU memory allocator grow its blocks (PYTORCH_ALLOC_CONF=expandable_segments:True).",
        consequence="Loses less memory to fragmentation when sequence lengths vary. Not tested on a GPU yet.",
        source="PyTorch, CUDA semantics: memory management",
        advanced=True,
        witness=reading("growing_segments"),
    )
    deterministic: bool = knob(
        False,
        title="Deterministic",
        help="Uses only algorithms that give the same result each time, on GPUs too, and refuses those that do not.",
        consequence="Makes GPU runs repeatable bit for bit, and slower. An operation that has no "
        "deterministic version stops the run with an error that names it.",
        source="transformers' full_determinism",
        advanced=True,
        witness=reading("deterministic_algorithms"),
    )
    group_by_length: bool = knob(
        False,
        title="Group by length",
        help="Puts samples of similar length into the same batch.",
        consequence="Trains faster because there is less padding; the loss curve becomes noisier.",
        advanced=True,
        when=one_of("data.packing", "none") & tasks_supporting("training.group_by_length"),
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
    eval_strategy: str = knob(
        "steps",
        title="Evaluate",
        help="When the eval set is evaluated.",
        consequence="Once per epoch is enough for short epochs; long ones need evaluations in between.",
        choices=_STRATEGIES,
        advanced=True,
        when=HELD_OUT,
        witness=argument("eval_strategy", given="eval_dataset"),
    )
    eval_every: float = knob(
        0.1,
        title="Evaluate every",
        help="Steps between evaluations; a value below 1 is a share of all steps (0.1: ten evaluations). Set 0 for "
        "none.",
        consequence="More evaluations show overfitting sooner and make the run longer.",
        unit="steps, or a share if below 1",
        ge=0,
        when=HELD_OUT & one_of("training.eval_strategy", "steps"),
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
    save_strategy: str = knob(
        "steps",
        title="Checkpoint",
        help="When checkpoints are saved. One is always saved at the end of the run.",
        consequence="A checkpoint per epoch lets you compare epochs; a crash loses up to a whole epoch.",
        choices=_STRATEGIES,
        advanced=True,
        witness=argument("save_strategy"),
    )
    save_every: float = knob(
        0.25,
        title="Checkpoint every",
        help="Steps between checkpoints; a value below 1 is a share of all steps. Set 0 to save only at the end.",
        consequence="A crash loses at most the steps since the last checkpoint.",
        unit="steps, or a share if below 1",
        ge=0,
        when=one_of("training.save_strategy", "steps"),
        witness=reading("save_intervals"),
    )
    save_only_model: bool = knob(
        False,
        title="Save weights only",
        help="Leaves the optimizer, the scheduler and the random states out of checkpoints.",
        consequence="Checkpoints shrink by up to two thirds, but the run cannot be resumed from them: after a stop, a "
        "crash or an out-of-memory retry it starts over.",
        advanced=True,
        witness=argument("save_only_model"),
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
    best_metric: str = knob(
        "",
        title="Best by",
        help="The eval metric for choosing the best weights, for early stopping, and for schedulers that "
        "follow the eval set: loss, mean_token_accuracy, rewards/margins, ... Leave it empty for "
        "the task's default.",
        consequence="Token accuracy can still rise while the eval loss already does, so it picks later weights.",
        source="transformers' metric_for_best_model",
        advanced=True,
        when=_EVALUATED
        & (on("training.keep_best") | positive("training.early_stopping") | schedulers_with("training.best_metric")),
        witness=argument(
            "metric_for_best_model", lambda recipe: f"eval_{recipe.training.best_metric.removeprefix('eval_')}"
        ),
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
