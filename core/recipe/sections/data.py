"""The data: which samples, how they are split, cut and masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.dataset.flag_names import RENAMED
from core.recipe.conditions import empty, filled, none_of, one_of, positive
from core.recipe.declare import knob

HELD_OUT = filled("data.eval") | positive("data.eval_fraction")
"""There are samples to evaluate on."""

_SPLIT = empty("data.eval") & positive("data.eval_fraction")


@dataclass(frozen=True, slots=True)
class MixSource:
    """Something to train on besides the data themselves."""

    path: str = knob("", title="File", path=True, help="A file or folder with samples.")
    share: float = knob(0.0, title="Share", help="Its share of the training set, 0.1 for a tenth.", gt=0, lt=1)


@dataclass(frozen=True, slots=True)
class Data:
    """The samples: sources, split, length and what carries loss."""

    train: tuple[str, ...] = knob(
        (),
        title="Training data",
        path=True,
        help="Files or folders with samples: JSONL, JSON, CSV, Parquet, text. They are read, never written.",
        consequence="A few hundred good samples teach a style; knowledge needs far more.",
    )
    eval: tuple[str, ...] = knob(
        (),
        title="Eval data",
        path=True,
        help="Files or folders with samples that are never trained on. Empty: a share of the training data is "
        "held out.",
        consequence="Without eval data nobody can see overfitting.",
    )
    mix: tuple[MixSource, ...] = knob(
        (),
        title="Mix in",
        help="Further files or folders to train on, each with its share of the training set: general.jsonl=0.1. Of a "
        "large one samples are drawn by the split seed, those of a small one are repeated. None is evaluated on.",
        consequence="A tenth of general samples is the cure for forgetting; more of them leave less for the task.",
        source="Scialom et al., arXiv 2205.12393",
        advanced=True,
    )
    eval_fraction: float = knob(
        0.1,
        title="Held out",
        help="The share of samples held out for evaluation where there is no eval data of its own. 0: none.",
        consequence="More held out: a steadier eval loss, fewer samples to learn from.",
        ge=0,
        lt=1,
        when=empty("data.eval"),
    )
    split_seed: int = knob(
        42,
        title="Split seed",
        help="Which samples are held out follows from this number alone.",
        consequence="Another seed, another split: eval losses are then not comparable.",
        ge=0,
        advanced=True,
        when=_SPLIT | filled("data.mix"),
    )
    split_near: float = knob(
        0.8,
        title="Keep together",
        help="Samples at least this like each other (in all their text, or in what they ask) stay on one side of the "
        "split, and an eval file of your own is checked for them: 0.5 to 1. 0: only equal prompts count.",
        consequence="Lower: a harder and more honest eval set. Takes seconds for 10,000 samples, once; 0 takes none.",
        source="Lee et al., arXiv 2107.06499",
        ge=0,
        le=1,
        advanced=True,
        when=HELD_OUT,
    )
    stratify: str = knob(
        "",
        title="Stratify by",
        help="What each has its share of in the eval set: answer (where answers are labels), source (the file), or a "
        "column of the rows. Empty: nothing.",
        consequence="Rare labels get into the eval set too. Appending rows can then move others to the other side.",
        advanced=True,
        when=_SPLIT,
    )
    synthetic: str = knob(
        "synthetic",
        title="Synthetic rows",
        help="The column that marks rows made by augmentation: its name, or column=value. They, and rows flagged "
        "synthetic by hand, are never held out. Empty: no column.",
        consequence="To leave them out of training, too, add synthetic to the flags that are left out.",
        advanced=True,
    )
    format: str = knob(
        "auto",
        title="Format",
        help="The shape of the rows. auto recognises it from the first rows and says why.",
        choices={
            "auto": "recognised from the rows",
            "messages": "a list of turns with role and content",
            "sharegpt": "conversations with from and value",
            "alpaca": "instruction, input, output",
            "question-answer": "a question and its answer",
            "prompt-completion": "a prompt and its completion",
            "instances": "an instruction with a list of inputs and outputs",
            "turns": "user turns with reference answers",
            "preference": "a prompt with a chosen and a rejected answer",
            "kto": "a prompt, a completion and a label",
            "text": "plain text, all of it trained",
            "text-lines": "plain text, each line a sample",
        },
        advanced=True,
    )
    columns: Mapping[str, str] = knob(
        {},
        title="Columns",
        help="Which column holds which part, where the names are unusual: prompt=question, completion=reply.",
        consequence="A correction here keeps every decision made on the rows.",
        advanced=True,
    )
    drop_flags: tuple[str, ...] = knob(
        ("exact_duplicate", "empty_answer", "role_order", "missing_turn", "leak_exact"),
        title="Leave out",
        help="Samples with one of these flags are left out, unless they were kept by hand.",
        consequence="Duplicates weigh double in training and leak into eval.",
        renamed=RENAMED,
        source="Lee et al., arXiv 2107.06499",
    )
    max_length: int = knob(
        2048,
        title="Max length",
        help="Samples longer than this are cut at the end, which loses the end of the answer.",
        consequence="Activation memory grows in proportion; shorter than the samples, answers lose their end.",
        unit="tokens",
        ge=8,
        le=1_048_576,
    )
    packing: str = knob(
        "none",
        title="Packing",
        help="Fill each sequence up to the max length with several samples, kept apart by position ids.",
        consequence="Less padding, so faster on short samples; fewer and larger steps an epoch.",
        choices={
            "none": "one sample, one sequence",
            "bfd": "best fit; the part of a sample beyond the max length is cut",
            "bfd_split": "best fit; the part beyond the max length becomes a sequence of its own",
            "wrapped": "one stream of text cut everywhere; for plain text",
        },
        source="Ding et al., arXiv 2404.10830",
        when=one_of("task", "sft"),
    )
    loss_on: str = knob(
        "answers",
        title="Loss on",
        help="Which tokens are learned in chat samples. Plain text is always learned whole.",
        consequence="everything also teaches the model to write the questions.",
        choices={
            "answers": "assistant turns alone",
            "everything": "every token, prompts included",
        },
        when=none_of("data.format", "text", "text-lines") & one_of("task", "sft"),
    )
    view: str = knob(
        "",
        title="View",
        help="The fingerprint of the curated view that was trained on. Filled in when a run starts.",
        consequence="The same fingerprint: the same samples in the same split.",
        advanced=True,
    )

    @property
    def shares(self) -> dict[str, float]:
        """What is mixed in, by file, each with its share of the training set."""
        return {source.path: source.share for source in self.mix}

    @property
    def own_share(self) -> float:
        """What is left of the training set for the data themselves; 0 where nothing is, which the rules refuse."""
        return max(0.0, 1 - sum(self.shares.values()))
