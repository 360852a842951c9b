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
        consequence="More make the comparison steadier and a step slower. Batch size x ranks x steps per generation "
        "must be a multiple of it.",
        ge=2,
        unit="completions",
        source="TRL's GRPOConfig; DeepSeekMath used 64, arXiv 2402.03300",
        witness=argument("num_generations"),
    )
    max_completion_length: int = knob(
        256,
        title="Max completion",
        help="A completion is cut off after this many tokens.",
        consequence="Most of the time of a step; a reasoning model needs a thousand or more.",
        ge=1,
        unit="tokens",
        witness=argument("max_completion_length"),
    )
    temperature: float = knob(
        1.0,
        title="Temperature",
        help="How random the completions are.",
        consequence="Below 0.7, the completions of a prompt become alike and nothing can be learned from them.",
        gt=0,
        le=5,
        witness=argument("temperature"),
    )
    steps_per_generation: int = knob(
        0,
        title="Steps per generation",
        help="For how many batches completions are written at once. 0 for as many as gradient accumulation.",
        consequence="More generate faster, on a GPU with room, and train on slightly older completions.",
        ge=0,
        unit="batches",
        advanced=True,
        witness=argument("steps_per_generation"),
    )
    num_iterations: int = knob(
        1,
        title="Iterations",
        help="How many times the completions of a batch are trained on (mu in the GRPO paper).",
        consequence="2 to 4 save generation time; the clipping by epsilon then matters.",
        ge=1,
        unit="times",
        advanced=True,
        witness=argument("num_iterations"),
    )
    eval_generations: int = knob(
        0,
        title="Eval generations",
        help="Completions for each prompt of the eval set. 0 for as many as in training, or fewer where the eval "
        "batch is no multiple of it.",
        consequence="More make the eval reward steadier and an evaluation slower.",
        ge=0,
        unit="completions",
        advanced=True,
        witness=argument("num_generations_eval"),
    )
    top_p: float = knob(
        1.0,
        title="Top p",
        help="Draw only from the likeliest tokens with this much probability.",
        consequence="Below 1, rare tokens are never tried, so the model cannot learn that they are better.",
        gt=0,
        le=1,
        advanced=True,
        witness=argument("top_p"),
    )
    top_k: int = knob(
        0,
        title="Top k",
        help="Draw only from this many likeliest tokens. 0 for all.",
        consequence="Tokens that are never drawn are never learned.",
        ge=0,
        advanced=True,
        witness=argument("top_k"),
    )
    min_p: float = knob(
        0.0,
        title="Min p",
        help="Leave out tokens less likely than this share of the likeliest. 0 for none.",
        consequence="Tokens that are never drawn are never learned.",
        ge=0,
        lt=1,
        advanced=True,
        witness=argument("min_p"),
    )
    repetition_penalty: float = knob(
        1.0,
        title="Repetition penalty",
        help="Above 1, tokens that were there before become less likely.",
        consequence="The model is trained on text that it would not write by itself; 1 is the honest setting.",
        gt=0,
        le=5,
        advanced=True,
        witness=argument("repetition_penalty"),
    )
    mask_truncated_completions: bool = knob(
        False,
        title="Mask truncated",
        help="Leave completions that were cut off out of the loss.",
        consequence="Steadier where many are cut off; but the model no longer learns to finish in time.",
        source="DAPO, arXiv 2503.14476",
        advanced=True,
        witness=argument("mask_truncated_completions"),
    )
    columns: tuple[str, ...] = knob(
        (),
        title="Columns for rewards",
        help="Further dataset columns that a Python reward gets, by name. Columns named in a reward are added.",
        consequence="Only Python rewards read them; the others compare with the column that they name.",
        advanced=True,
        witness=run_loop("core.runs.curate"),
    )
    keep_completions: int = knob(
        32,
        title="Completions kept",
        help="How many completions of a generation are written to completions.jsonl: the best and the worst. 0 for "
        "none.",
        consequence="The file stays under 32 MiB; the oldest go first.",
        ge=0,
        le=1024,
        unit="completions",
        advanced=True,
        witness=run_loop("core.training.tasks.online"),
    )
