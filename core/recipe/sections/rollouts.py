"""Online training: the completions that the model writes, and how many."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument, run_loop


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The completions that are generated and scored while training; used by grpo and rloo."""

    num_generations: int = knob(
        8,
        title="Generations",
        help="How many completions are written for each prompt. They are compared with each other.",
        consequence="More make the comparison steadier and steps slower. Batch size x ranks x steps per generation "
        "must be a multiple of this number.",
        ge=2,
        unit="completions",
        source="TRL's GRPOConfig; DeepSeekMath used 64, arXiv 2402.03300",
        witness=argument("num_generations"),
    )
    max_completion_length: int = knob(
        256,
        title="Max completion",
        help="A completion is cut off after this many tokens.",
        consequence="Generation takes most of each step. A reasoning model needs a thousand tokens or more.",
        ge=1,
        unit="tokens",
        witness=argument("max_completion_length"),
    )
    temperature: float = knob(
        1.0,
        title="Temperature",
        help="How random the completions are.",
        consequence="Below 0.7, the completions of a prompt become too similar to learn from.",
        gt=0,
        le=5,
        witness=argument("temperature"),
    )
    steps_per_generation: int = knob(
        0,
        title="Steps per generation",
        help="How many batches of completions are generated at once. 0 uses the gradient accumulation.",
        consequence="More is faster on a GPU with memory to spare, but trains on slightly older completions.",
        ge=0,
        unit="batches",
        advanced=True,
        witness=argument("steps_per_generation"),
    )
    num_iterations: int = knob(
        1,
        title="Iterations",
        help="How many times each batch of completions is trained on (mu in the GRPO paper).",
        consequence="2 to 4 save generation time; clipping by epsilon then matters.",
        ge=1,
        unit="times",
        advanced=True,
        witness=argument("num_iterations"),
    )
    eval_generations: int = knob(
        0,
        title="Eval generations",
        help="Completions per eval prompt. 0 uses as many as in training, or fewer if the eval "
        "batch is not a multiple of that.",
        consequence="More make the eval reward steadier and evaluations slower.",
        ge=0,
        unit="completions",
        advanced=True,
        witness=argument("num_generations_eval"),
    )
    top_p: float = knob(
        1.0,
        title="Top-p",
        help="Samples only from the most likely tokens that make up this probability. 1 samples from all.",
        consequence="Below 1, rare tokens are never tried, so the model cannot learn that they are better.",
        gt=0,
        le=1,
        advanced=True,
        witness=argument("top_p"),
    )
    top_k: int = knob(
        0,
        title="Top-k",
        help="Samples only from this many most likely tokens. 0 samples from all.",
        consequence="Tokens that are never sampled are never learned.",
        ge=0,
        advanced=True,
        witness=argument("top_k"),
    )
    min_p: float = knob(
        0.0,
        title="Min-p",
        help="Rules out tokens less likely than this fraction of the most likely one. 0 rules out none.",
        consequence="Tokens that are never sampled are never learned.",
        ge=0,
        lt=1,
        advanced=True,
        witness=argument("min_p"),
    )
    repetition_penalty: float = knob(
        1.0,
        title="Repetition penalty",
        help="Above 1, tokens that have already appeared become less likely.",
        consequence="The model is trained on text that it would not write by itself; keep 1 unless it loops.",
        gt=0,
        le=5,
        advanced=True,
        witness=argument("repetition_penalty"),
    )
    mask_truncated_completions: bool = knob(
        False,
        title="Mask truncated",
        help="Leaves truncated completions out of the loss.",
        consequence="Steadier when many are cut off, but the model no longer learns to finish in time.",
        source="DAPO, arXiv 2503.14476",
        advanced=True,
        witness=argument("mask_truncated_completions"),
    )
    columns: tuple[str, ...] = knob(
        (),
        title="Columns for rewards",
        help="Extra dataset columns to pass to Python rewards, by name. Columns that a reward names are always passed.",
        consequence="Only Python rewards read them; other rewards compare with the column they name.",
        advanced=True,
        witness=run_loop("core.runs.curate"),
    )
    keep_completions: int = knob(
        32,
        title="Completions kept",
        help="How many completions per generation are saved to completions.jsonl: the best and the worst. 0 saves "
        "none.",
        consequence="The file stays under 32 MiB; the oldest are dropped first.",
        ge=0,
        le=1024,
        unit="completions",
        advanced=True,
        witness=run_loop("core.training.tasks.online"),
    )
