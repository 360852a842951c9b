"""Vectors before the prompt: prompt tuning, P-tuning and prefix tuning."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.adapters import kinds_with
from core.recipe.conditions import on, one_of
from core.recipe.declare import knob
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class SoftPrompt:
    """Trained vectors before the prompt."""

    tokens: int = knob(
        20,
        title="Virtual tokens",
        help="How many trained vectors are put before every prompt. 10 to 100 are common.",
        consequence="Each uses one token of the context window, at inference too.",
        unit="tokens",
        ge=1,
        le=2048,
        source="Prompt tuning, arXiv 2104.08691, figure 3 (20 to 100)",
        witness=reading("virtual_tokens"),
    )
    start: str = knob(
        "vocabulary",
        title="Initial vectors",
        help="How the vectors are initialized.",
        consequence="Starting from words learns faster than starting from noise.",
        choices={
            "random": "random numbers",
            "vocabulary": "the embeddings of random tokens",
            "text": "the embeddings of a text",
        },
        source="Prompt tuning, arXiv 2104.08691, figure 3",
        when=kinds_with("soft_prompt.start"),
        witness=reading("prompt_starts"),
    )
    text: str = knob(
        "",
        title="Starting text",
        help="The text whose embeddings the vectors start from. It is repeated or cut to the number of virtual tokens.",
        consequence="An instruction for your task is a good start.",
        when=kinds_with("soft_prompt.text") & one_of("soft_prompt.start", "text"),
        witness=reading("prompt_texts"),
    )
    projection: bool = knob(
        False,
        title="Projection",
        help="Generates the prefix with a small network during training, as in the paper.",
        consequence="Trains more stably, with many times the trainable parameters; the saved prefix stays small.",
        source="Prefix-tuning, arXiv 2101.00190, section 4.3",
        when=kinds_with("soft_prompt.projection"),
        witness=reading("prefix_projections"),
    )
    encoder: str = knob(
        "mlp",
        title="Encoder",
        help="The network that generates the vectors during training.",
        consequence="It is not needed after training: only the vectors are saved.",
        choices={"mlp": "three linear layers", "lstm": "a bidirectional LSTM, as in the paper"},
        source="P-tuning, arXiv 2103.10385, section 3.2",
        when=kinds_with("soft_prompt.encoder"),
        witness=reading("prompt_encoders"),
    )
    encoder_size: int = knob(
        128,
        title="Encoder size",
        help="The width of the network that generates the vectors.",
        consequence="Most of the trainable parameters are in this network.",
        ge=1,
        le=16384,
        when=kinds_with("soft_prompt.encoder_size") & (one_of("method", "p_tuning") | on("soft_prompt.projection")),
        witness=reading("encoder_sizes"),
    )
    encoder_layers: int = knob(
        2,
        title="Encoder layers",
        help="How many layers the LSTM has.",
        consequence="More layers train more slowly; two are usual.",
        ge=1,
        le=8,
        advanced=True,
        when=kinds_with("soft_prompt.encoder_layers") & one_of("soft_prompt.encoder", "lstm"),
        witness=reading("encoder_layers"),
    )
    dropout: float = knob(
        0.0,
        title="Encoder dropout",
        help="The share of the LSTM's hidden values that are zeroed at random during training.",
        consequence="A little dropout slows memorization of small datasets.",
        ge=0,
        lt=1,
        advanced=True,
        when=kinds_with("soft_prompt.dropout") & one_of("soft_prompt.encoder", "lstm"),
        witness=reading("encoder_dropouts"),
    )
