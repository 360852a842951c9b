"""The adapter: small matrices beside frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import filled
from core.recipe.declare import knob
from core.recipe.tasks import tasks_with_dropout
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class RankPattern:
    """Layers with a different rank or alpha."""

    modules: str = knob("", title="Modules", help="A layer's name, such as down_proj, or a regular expression: /.../.")
    rank: int = knob(0, title="Rank", help="Their rank. 0 keeps the rank of the other layers.", ge=0, le=1024)
    alpha: float = knob(0.0, title="Alpha", help="Their alpha. 0 keeps the alpha of the other layers.", ge=0)


@dataclass(frozen=True, slots=True)
class Lora:
    """The LoRA adapter."""

    rank: int = knob(
        16,
        title="Rank",
        help="The size of the update: each adapted matrix gets two factors of this width. Start with 8 to 16; use 32 "
        "to 64 for hard tasks or a lot of data.",
        consequence="Doubling the rank doubles the trainable parameters.",
        ge=1,
        le=1024,
        source="LoRA, arXiv 2106.09685, section 7.2",
        witness=reading("lora_ranks"),
    )
    alpha: float = knob(
        32.0,
        title="Alpha",
        help="The scale of the update, which is multiplied by alpha / rank (rslora: alpha / sqrt(rank)). Twice the "
        "rank is common.",
        consequence="Doubling alpha acts much like doubling the learning rate.",
        gt=0,
        source="LoRA, arXiv 2106.09685, section 4.1",
        witness=reading("lora_scales", lambda recipe: recipe.lora.scale),
    )
    dropout: float = knob(
        0.05,
        title="Dropout",
        help="The share of the adapter's inputs that is zeroed at random while training.",
        consequence="A little dropout slows memorization of small datasets; 0 is fastest.",
        ge=0,
        lt=1,
        source="QLoRA, arXiv 2305.14314, appendix B (0.1 up to 13B, 0.05 above)",
        when=tasks_with_dropout(),
        witness=reading("lora_dropouts"),
    )
    targets: tuple[str, ...] = knob(
        ("all-linear",),
        title="Target modules",
        help="Which linear layers get an adapter: all-linear, names such as q_proj, v_proj, or a regular expression "
        "between slashes, which must match the whole name: /.*mlp.*/.",
        consequence="Adapting all linear layers learns the most; adapting only the attention layers "
        "saves memory and learns less.",
        source="QLoRA, arXiv 2305.14314, figure 2",
        witness=reading("lora_targets"),
    )
    exclude: tuple[str, ...] = knob(
        (),
        title="Exclude modules",
        help="Which target modules to skip: names such as down_proj, or a regular expression between slashes.",
        consequence="Easier than listing every other layer when you want to skip one kind.",
        source="PEFT's exclude_modules",
        advanced=True,
        witness=reading("lora_excluded"),
    )
    layers: tuple[str, ...] = knob(
        (),
        title="Layers",
        help="Which transformer layers get an adapter, counted from 0: 0-7, 12, last 8. Leave it empty for all.",
        consequence="Adapting only the last layers saves memory: no backward pass runs below them.",
        source="PEFT's layers_to_transform",
        advanced=True,
        witness=reading("lora_layers", lambda recipe: True),
    )
    parameters: tuple[str, ...] = knob(
        (),
        title="Target parameters",
        help="Fused expert weights that get an adapter, such as mlp.experts.gate_up_proj. all-linear includes them.",
        consequence="Experts hold most of a model's parameters, so their adapters are large.",
        source="PEFT's target_parameters",
        advanced=True,
        witness=reading("lora_parameters"),
    )
    patterns: tuple[RankPattern, ...] = knob(
        (),
        title="Rank patterns",
        help="Layers with a different rank or alpha: down_proj=32, or down_proj=32; alpha=64.",
        consequence="A higher rank where the model changes most costs less than a higher rank everywhere.",
        source="PEFT's rank_pattern and alpha_pattern",
        advanced=True,
        witness=reading("lora_patterns"),
    )
    init: str = knob(
        "default",
        title="Initial weights",
        help="How the adapter is initialized. pissa and olora change the base weights; the others leave them alone.",
        consequence="PiSSA and OLoRA learn faster in the first steps; EVA reads some of your data before it starts.",
        choices={
            "default": "A random, B zero (Kaiming)",
            "gaussian": "A from a normal distribution, B zero",
            "orthogonal": "A and B orthogonal to each other",
            "pissa": "the principal singular vectors of each weight; the base keeps the rest",
            "olora": "a QR decomposition of each weight; the base keeps the rest",
            "eva": "the principal directions of the layers' inputs on your training data",
        },
        source="PiSSA, arXiv 2404.02948; OLoRA, arXiv 2406.01775; EVA, arXiv 2410.07170",
        advanced=True,
        witness=reading("lora_inits"),
    )
    plus_ratio: float = knob(
        0.0,
        title="LoRA+ ratio",
        help="The learning rate of B divided by that of A. The paper uses 16. 0 trains both at the same rate.",
        consequence="B learns faster, so use a learning rate about half that of plain LoRA.",
        ge=0,
        le=1024,
        source="LoRA+, arXiv 2402.12354",
        advanced=True,
        witness=reading("loraplus_ratios"),
    )
    variant: str = knob(
        "plain",
        title="Variant",
        help="How the update is computed.",
        consequence="dora makes steps slower; rslora makes ranks above 32 worthwhile.",
        choices={
            "plain": "LoRA as published",
            "rslora": "scaled by the square root of the rank, more stable at high ranks",
            "dora": "separates magnitude and direction; closer to full fine-tuning at low ranks",
        },
        source="rsLoRA, arXiv 2312.03732; DoRA, arXiv 2402.09353",
        advanced=True,
        witness=reading("lora_variants"),
    )
    modules_to_save: tuple[str, ...] = knob(
        (),
        title="Modules to save",
        help="Modules that are trained in full and saved with the adapter, such as lm_head and embed_tokens. Needed "
        "if you added new tokens.",
        consequence="Adds whole matrices to memory and to the adapter file.",
        advanced=True,
        witness=reading("saved_modules"),
    )
    trained_tokens: tuple[str, ...] = knob(
        (),
        title="Trained tokens",
        help="Tokens whose embedding rows are trained along with the adapter, such as <|im_start|>. Added "
        "tokens are always trained.",
        consequence="Trains one row per token; Modules to save would train the whole embedding.",
        source="PEFT's trainable_token_indices",
        advanced=True,
        witness=reading("trained_tokens"),
    )
    ensure_weight_tying: bool = knob(
        False,
        title="Ensure weight tying",
        help="Keeps the embedding and the output layer tied when one of them is in Modules to save.",
        consequence="Without it, a tied output layer is trained separately, and a merged model cannot store both.",
        source="PEFT's ensure_weight_tying",
        advanced=True,
        when=filled("lora.modules_to_save"),
        witness=reading("tied_outputs"),
    )

    @property
    def scale(self) -> float:
        """The factor of the update; rslora's falls with the square root of the rank alone (arXiv 2312.03732)."""
        return self.alpha / (self.rank**0.5 if self.variant == "rslora" else self.rank)
