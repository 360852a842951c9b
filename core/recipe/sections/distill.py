"""Distillation: the teacher, and how the student is compared with it."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import filled
from core.recipe.declare import knob
from core.recipe.witness import argument, run_loop


@dataclass(frozen=True, slots=True)
class Distill:
    """Settings for learning from a teacher model; only used by the task distill."""

    teacher: str = knob(
        "",
        title="Teacher",
        path=True,
        help="The model to learn from: a Hub model ID or a folder. It needs the model's vocabulary, so it is usually a "
        "larger model of the same family.",
        consequence="It stays in memory along with the model and scores every answer that the model writes.",
        witness=run_loop("core.training.tasks.distill"),
    )
    teacher_revision: str = knob(
        "",
        title="Teacher revision",
        help="The branch, tag or commit of a Hub model. Leave it empty for main.",
        consequence="A commit makes the run reproducible; a branch can change.",
        advanced=True,
        when=filled("distill.teacher"),
        witness=run_loop("core.recipe.teacher"),
    )
    teacher_quantization: str = knob(
        "none",
        title="Teacher quantization",
        help="Loads the teacher in 4 or 8 bits.",
        consequence="nf4 cuts its memory to about a quarter; its probabilities become slightly less accurate.",
        choices={"none": "16 bits on a GPU, float32 on a CPU", "nf4": "4-bit NormalFloat", "int8": "8-bit, LLM.int8()"},
        witness=run_loop("core.recipe.teacher"),
    )
    beta: float = knob(
        1.0,
        title="Divergence",
        help="0 is the forward KL divergence, 1 the reverse KL, 0.5 the Jensen-Shannon divergence; values in between "
        "blend them.",
        consequence="Reverse KL sticks to what the teacher finds most likely; forward KL covers everything it finds "
        "plausible.",
        ge=0,
        le=1,
        source="On-policy distillation, arXiv 2306.13649; TRL's DistillationConfig (1.0)",
        witness=argument("beta"),
    )
    max_completion_length: int = knob(
        256,
        title="Max completion",
        help="Answers are cut off after this many tokens.",
        consequence="Generation takes most of each step, so longer answers make steps slower.",
        unit="tokens",
        ge=1,
        witness=argument("max_completion_length"),
    )
    temperature: float = knob(
        1.0,
        title="Temperature",
        help="How random the answers are. It also softens both distributions in the loss.",
        consequence="Above 1, rarer tokens count more.",
        gt=0,
        le=5,
        witness=argument("temperature"),
    )
    top_p: float = knob(
        1.0,
        title="Top-p",
        help="Samples only from the most likely tokens that make up this probability. 1 samples from all.",
        consequence="Lower values keep answers from rambling, but show the teacher fewer of the model's mistakes.",
        gt=0,
        le=1,
        advanced=True,
        witness=argument("top_p"),
    )
    top_k: int = knob(
        0,
        title="Top-k",
        help="Samples only from this many most likely tokens. 0 samples from all.",
        consequence="20 to 50 rules out unlikely tokens; mistakes that are never sampled are never corrected.",
        ge=0,
        advanced=True,
        witness=argument("top_k"),
    )
    min_p: float = knob(
        0.0,
        title="Min-p",
        help="Rules out tokens less likely than this fraction of the most likely one. 0 rules out none.",
        consequence="0.05 keeps long answers readable at high temperatures.",
        ge=0,
        le=1,
        advanced=True,
        witness=argument("min_p", lambda recipe: recipe.distill.min_p or None),
    )
    disable_dropout: bool = knob(
        False,
        title="Disable dropout",
        help="Turns off dropout in the trained model.",
        consequence="Without dropout, the model trains as it will be used, but overfits a small dataset sooner.",
        advanced=True,
        witness=argument("disable_dropout"),
    )
