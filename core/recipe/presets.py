"""Named starting points: a few fields each, with reason, use case, source, the score to watch, and 20 rows
to try it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.paths import SAMPLE_DATA
from core.recipe.recipe import KNOBS, Recipe, default_of, get, put, why_without_effect
from core.recipe.sections.data import MixSource
from core.recipe.sections.dpo import DpoLoss
from core.recipe.sections.rewards import RewardEntry
from core.recipe.tasks import TASKS
from core.recipe.values import Value

_EXAMPLES = SAMPLE_DATA / "presets"
_TINY = str(SAMPLE_DATA / "tiny_base")
_GENERAL = (MixSource(str(_EXAMPLES / "general.jsonl"), 0.1),)


@dataclass(frozen=True, slots=True)
class Preset:
    """A partial recipe.

    Attributes:
        name: one to four words.
        use: what it is for, a few words.
        reason: why these values, one or two sentences.
        watch: the score that tells whether it worked.
        source: where the values are from.
        values: the fields that it sets, by dotted path; all others are unchanged.
        example: a file with 20 rows of the kind that it is for.
        example_values: what its example needs besides the data.
    """

    name: str
    use: str
    reason: str
    watch: str
    source: str
    values: Mapping[str, Value]
    example: str = "support"
    example_values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def example_path(self) -> Path:
        """The file of its example."""
        return _EXAMPLES / f"{self.example}.jsonl"

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with the preset's fields set.

        What its task refuses goes back to what works, such as packing; what has no effect in it any more, such as the
        rewards of another task, goes back to its default.
        """
        before = recipe
        for path, value in self.values.items():
            recipe = put(recipe, path, value)
        for path in KNOBS:
            if why_without_effect(recipe, path) and not why_without_effect(before, path):
                recipe = put(recipe, path, default_of(recipe, path))
        for limit in TASKS[recipe.task].refuses:
            holds = all(get(recipe, path) == value for path, value in limit.given.items())
            if limit.severity == "error" and holds and not limit.allows(get(recipe, limit.path)):
                recipe = put(recipe, limit.path, limit.nearest)
        return recipe

    def changes(self, recipe: Recipe) -> list[tuple[str, Value, Value]]:
        """What it would change: each field with its value now and then."""
        made = self.apply(recipe)
        both = [(path, get(recipe, path), get(made, path)) for path in KNOBS]
        return [change for change in both if change[1] != change[2]]

    def on_example(self, recipe: Recipe) -> Recipe:
        """The preset on its example: the data is that, and where no model is chosen, the tiny base that comes along."""
        made = self.apply(recipe)
        for path in ("data.eval", "data.format", "data.columns", "data.view", "data.mix"):
            made = put(made, path, KNOBS[path].default)
        made = put(made, "data.train", (str(self.example_path),))
        for path, value in self.example_values.items():
            made = put(made, path, value)
        if not recipe.model.path:
            made = put(put(made, "model.path", _TINY), "data.max_length", min(made.data.max_length, 512))
        return made


def _lora(rank: int, rate: float, epochs: float, **more: Value) -> dict[str, Value]:
    """SFT with LoRA as the guides give it: alpha twice the rank, dropout, decay, warmup and clipping."""
    values: dict[str, Value] = {
        "task": "sft",
        "method": "lora",
        "lora.rank": rank,
        "lora.alpha": 2.0 * rank,
        "lora.dropout": 0.05,
        "lora.targets": ("all-linear",),
        "lora.variant": "plain",
        "training.learning_rate": rate,
        "training.epochs": epochs,
        "training.max_steps": 0,
        "training.batch_size": 4,
        "training.gradient_accumulation": 4,
        "training.warmup": 0.05,
        "training.weight_decay": 0.01,
        "training.max_grad_norm": 1.0,
        "training.activation_checkpointing": True,
    }
    return values | {name.replace("__", "."): value for name, value in more.items()}


_GUIDE = "QLoRA, arXiv 2305.14314, appendix B; Raschka, Practical Tips for Finetuning LLMs (2023)"

PILOT = Preset(
    "pilot run",
    "a first look",
    "20 steps of the current recipe.",
    "speed, memory, and whether the loss falls",
    "",
    {
        "training.max_steps": 20,
        "training.eval_strategy": "steps",
        "training.eval_every": 10.0,
        "training.save_strategy": "steps",
        "training.save_every": 0.0,
        "training.log_every": 1,
        "evaluation.prompts": 5,
        "evaluation.max_new_tokens": 128,
    },
)
"""What the key for a pilot run does; not in the menu."""

PRESETS: tuple[Preset, ...] = (
    Preset(
        "pilot",
        "A small run before a long one: does the data teach what it should?",
        "About 300 samples, seen once: 19 steps of 16. Shows speed, memory, and whether the loss falls at "
        "all, before you "
        "spend a night on it.",
        "eval loss at the end below eval loss at step 0",
        "OpenAI, Fine-tuning guide: 50 to 100 good examples show whether it works",
        {
            "training.max_steps": 19,
            "training.batch_size": 4,
            "training.gradient_accumulation": 4,
            "training.eval_strategy": "steps",
            "training.eval_every": 9.0,
            "training.save_strategy": "steps",
            "training.save_every": 0.0,
            "training.log_every": 1,
            "evaluation.prompts": 5,
            "evaluation.max_new_tokens": 128,
        },
        # Of 20 rows, 19 steps would be ten epochs.
        example_values={"training.max_steps": 0, "training.epochs": 1.0},
    ),
    Preset(
        "first LoRA",
        "Your first real run, on a few hundred to a few thousand samples.",
        "The usual starting point: all linear layers, rank 16, alpha twice the rank, effective batch 16, two "
        "epochs. For "
        "models whose 16-bit weights fit on the GPU.",
        "eval loss; then answers of base and tuned model side by side",
        _GUIDE,
        _lora(16, 2e-4, 2.0, model__quantization="none"),
    ),
    Preset(
        "QLoRA on a small card",
        "Models that do not fit in 16 bits: 7B on 12 GiB, 14B on 16 GiB.",
        "4-bit weights, batch size 1, the same effective batch of 16. Weights need a quarter of the memory; steps are "
        "about 40% slower. Clipping at 0.3, as in the paper.",
        "eval loss; and compare the merged model with the adapter before you ship it",
        _GUIDE,
        _lora(
            16,
            2e-4,
            2.0,
            model__quantization="nf4",
            model__double_quantization=True,
            training__batch_size=1,
            training__gradient_accumulation=16,
            training__max_grad_norm=0.3,
            training__optimizer="paged_adamw_8bit",
        ),
        # Its example has to run on machines without a GPU too.
        example_values={"training.optimizer": "adamw_8bit"},
    ),
    Preset(
        "style and format",
        "Answers in one voice or one layout, from a few hundred samples.",
        "A style is quickly learned: rank 8 and a lower learning rate change the form and leave the knowledge "
        "alone. Mix in "
        "10% general data if the model forgets other tasks.",
        "sample outputs: is the layout right in every one? Then eval loss",
        "LIMA, arXiv 2305.11206; LoRA learns less and forgets less, arXiv 2405.09673",
        _lora(8, 1e-4, 3.0, samples__every=0.2),
        example="style",
        example_values={"data.mix": _GENERAL},
    ),
    Preset(
        "extraction",
        "Extract fields from text as JSON.",
        "Short answers that must be exactly right: three epochs, dropout 0.1, answers only. Include texts in "
        "which a field "
        "is missing, with null as the answer.",
        "exact match on held-out samples, and how many answers are valid JSON",
        _GUIDE,
        _lora(
            16,
            1e-4,
            3.0,
            lora__dropout=0.1,
            data__loss_on="answers",
            evaluation__prompts=50,
            evaluation__max_new_tokens=256,
        ),
        example="extraction",
    ),
    Preset(
        "classification",
        "Pick one of a few labels.",
        "A label is one or two tokens, so a small rank is enough. Stratified by answer, so that rare labels "
        "are held out "
        "as well; the best evaluation is kept.",
        "exact match per label, not only overall",
        _GUIDE,
        _lora(
            8,
            1e-4,
            3.0,
            lora__dropout=0.1,
            data__stratify="answer",
            training__keep_best=True,
            evaluation__prompts=100,
            evaluation__max_new_tokens=16,
        ),
        example="classification",
    ),
    Preset(
        "summarization",
        "Long texts, short answers.",
        "Room for long inputs, few trained tokens per sample: rank 32, batch size 1, samples grouped by length.",
        "read 20 summaries for facts that are not in the text; eval loss cannot see these",
        _GUIDE,
        _lora(
            32,
            1e-4,
            2.0,
            data__max_length=4096,
            training__batch_size=1,
            training__gradient_accumulation=16,
            training__group_by_length=True,
            evaluation__max_new_tokens=256,
        ),
        example="summaries",
    ),
    Preset(
        "code for an internal API",
        "Calls to a library that the base model has never seen.",
        "New names take more learning than a style: rank 64. Mix in 10% general code or chat, or the model forgets the "
        "rest of programming.",
        "does the generated code run? Then exact match",
        "LoRA learns less and forgets less, arXiv 2405.09673; Scialom et al., arXiv 2205.12393 (10% general data)",
        _lora(64, 1e-4, 2.0, data__max_length=4096, training__batch_size=2, training__gradient_accumulation=8),
        example="code",
        example_values={"data.mix": _GENERAL},
    ),
    Preset(
        "answers from retrieved context",
        "Answers from passages that a search has found, with distractors among them.",
        "Teaches the model to read, cite and decline, not to memorize. Each sample needs distractors, and some samples "
        "should have no answer at all.",
        "held-out questions without an answer: how many are declined? Then exact match",
        "RAFT, arXiv 2403.10131",
        _lora(
            32,
            1e-4,
            2.0,
            data__max_length=4096,
            training__batch_size=1,
            training__gradient_accumulation=16,
            evaluation__prompts=50,
        ),
        example="retrieval",
    ),
    Preset(
        "preference after SFT",
        "Pairs of a better and a worse answer, after SFT has taught the form.",
        "DPO for one epoch at a twentieth of the SFT learning rate. Start it from your SFT run (starts_from).",
        "reward accuracy on the eval set above 0.6, while the chosen reward does not fall",
        "DPO, arXiv 2305.18290; Zephyr, arXiv 2310.16944",
        {
            "task": "dpo",
            "method": "lora",
            "dpo.beta": 0.1,
            "dpo.loss_type": (DpoLoss(),),
            "training.learning_rate": 1e-5,
            "training.epochs": 1.0,
            "training.max_steps": 0,
            "training.batch_size": 2,
            "training.gradient_accumulation": 8,
            "training.warmup": 0.1,
        },
        example="preferences",
    ),
    Preset(
        "continued pretraining",
        "A domain or a language, from plain text.",
        "Every token is trained, in chunks of the max length: rank 64 on all linear layers, one epoch. "
        "Instruction tuning "
        "comes after it. Mix in 10% general text against forgetting.",
        "eval loss on domain text, and on general text next to it",
        "Unsloth, Continued LLM Pretraining (2024); Scialom et al., arXiv 2205.12393",
        {
            **_lora(64, 5e-5, 1.0),
            "task": "cpt",
            "lora.dropout": 0.0,
            "training.scheduler": "cosine",
            "data.chunk_text": True,
        },
        example="text",
    ),
    Preset(
        "reasoning with GRPO",
        "Tasks whose answers can be checked: math, code, formats.",
        "The model writes eight answers per prompt and learns from those that score above the rest: exact match on the "
        "final answer, and a little for the form. Start from a model that solves some of them.",
        "the mean reward rises while the completion length does not collapse or explode",
        "DeepSeekMath, arXiv 2402.03300; DAPO, arXiv 2503.14476",
        {
            "task": "grpo",
            "method": "lora",
            "lora.rank": 32,
            "lora.alpha": 64.0,
            "lora.dropout": 0.0,
            "rewards": (
                RewardEntry("exact_match", 1.0, column="answer", pattern="Answer:\\s*(\\S+)"),
                RewardEntry("regex", 0.2, name="form", pattern="Answer:\\s*\\S+\\s*$"),
            ),
            "rollouts.num_generations": 8,
            "training.learning_rate": 1e-5,
            "training.epochs": 1.0,
            "training.max_steps": 0,
            "training.batch_size": 8,
            "training.gradient_accumulation": 4,
            "training.max_grad_norm": 0.3,
            "training.warmup": 0.1,
        },
        example="sums",
        example_values={"rollouts.max_completion_length": 64},
    ),
    Preset(
        "distillation",
        "A small model that should answer like a larger one of the same series.",
        "The teacher scores every token that the student writes. Set the teacher (distill.teacher): it needs "
        "the student's "
        "vocabulary.",
        "answers of student and teacher side by side on held-out prompts",
        "On-Policy Distillation, arXiv 2306.13649",
        {
            "task": "distill",
            "method": "lora",
            "lora.rank": 32,
            "lora.alpha": 64.0,
            "lora.dropout": 0.0,
            "training.learning_rate": 1e-4,
            "training.epochs": 1.0,
            "training.max_steps": 0,
            "training.batch_size": 4,
            "training.gradient_accumulation": 4,
            "training.warmup": 0.05,
        },
        example_values={"distill.teacher": _TINY},
    ),
    Preset(
        "thorough",
        "Hard tasks with a few thousand samples or more, once a first LoRA has worked.",
        "Rank 64 with rslora, a lower learning rate, three epochs and twenty evaluations to catch overfitting.",
        "eval loss: keep the best step, not the last",
        "rsLoRA, arXiv 2312.03732",
        {
            **_lora(64, 1e-4, 3.0),
            "lora.alpha": 64.0,
            "lora.variant": "rslora",
            "training.scheduler": "cosine",
            "training.eval_every": 0.05,
            "training.keep_best": True,
            "evaluation.prompts": 50,
        },
    ),
)
"""All presets, in the order of a menu."""
