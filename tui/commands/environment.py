"""What the program reads from outside: environment variables, and the folders and files with its settings."""

from __future__ import annotations

from dataclasses import dataclass

SCREEN, HUB, TRAINING, FOLDERS = "screen", "hub", "training", "folders"


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that users may set.

    Attributes:
        name: its name, or several with a comma between.
        area: `SCREEN`, `HUB`, `TRAINING` or `FOLDERS`.
        help: one sentence without its full stop.
    """

    name: str
    area: str
    help: str


VARIABLES = (
    Variable("NO_COLOR", SCREEN, "turns colors off when set to anything"),
    Variable("TUNEDECK_THEME", SCREEN, "theme to start with: dark, light, terminal, or one of your own"),
    Variable("TUNEDECK_GLYPHS", SCREEN, "what the terminal can show, if the locale is wrong: braille, block or ascii"),
    Variable("TUNEDECK_PLAIN", SCREEN, "1 draws with plain Textual, if the screen looks wrong"),
    Variable("TERM, COLORTERM", SCREEN, "what the terminal can show"),
    Variable("LC_ALL, LC_CTYPE, LANG", SCREEN, "locale; a terminal that is not UTF-8 gets ASCII frames and charts"),
    Variable("PYTHONIOENCODING", SCREEN, "encoding of the output, if not UTF-8"),
    Variable("VISUAL, EDITOR", SCREEN, "editor for a row or a recipe"),
    Variable("TMUX, STY", SCREEN, "set by tmux and screen; notifications and copying take them into account"),
    Variable("HF_TOKEN", HUB, "Hub token (default: the one that `hf auth login` saved)"),
    Variable("HF_TOKEN_PATH", HUB, "file with the Hub token (default: HF_HOME/token)"),
    Variable("HF_HOME", HUB, "folder of Hub downloads and token (default: ~/.cache/huggingface)"),
    Variable("HF_HUB_CACHE", HUB, "folder of downloaded models (default: HF_HOME/hub)"),
    Variable("HF_HUB_OFFLINE", HUB, "1 uses only downloaded models and datasets"),
    Variable("HF_ENDPOINT", HUB, "address of a Hub mirror (default: https://huggingface.co)"),
    Variable("HTTP_PROXY, HTTPS_PROXY, ALL_PROXY", HUB, "proxy for the Hub"),
    Variable(
        "CUDA_VISIBLE_DEVICES",
        TRAINING,
        "GPUs that a run may use: numbers or UUIDs; `training.devices` takes precedence",
    ),
    Variable("CUDA_DEVICE_ORDER", TRAINING, "ignored, with a warning: GPU numbers are those of nvidia-smi"),
    Variable("PYTORCH_ALLOC_CONF", TRAINING, "settings of PyTorch's GPU memory allocator"),
    Variable("CC", TRAINING, "C compiler for torch.compile"),
    Variable("TUNEDECK_PYTHON", TRAINING, "Python to train with, if not the one that runs tunedeck"),
    Variable("TUNEDECK_NODES, TUNEDECK_JOB, TUNEDECK_RENDEZVOUS", TRAINING, "set by the Slurm script of a run"),
    Variable("XDG_CONFIG_HOME", FOLDERS, "where settings, keys and themes are (default: ~/.config)"),
    Variable("XDG_STATE_HOME", FOLDERS, "where what you have allowed is saved (default: ~/.local/state)"),
    Variable("XDG_CACHE_HOME", FOLDERS, "where caches are (default: ~/.cache)"),
    Variable("TMPDIR", FOLDERS, "where temporary files are written (default: /var/tmp)"),
    Variable("SCRATCH", FOLDERS, "a folder where old files are deleted; runs in it get a warning"),
    Variable("USER", FOLDERS, "your name, as shown to other users of the workspace"),
    Variable("TUNEDECK_USER", FOLDERS, "the name that decisions on rows are saved under (default: your login name)"),
)
"""Every variable that is read, in the order of `tunedeck --help`."""

FILES = (
    (
        "~/.config/tunedeck/settings.toml",
        "your settings: prices, mouse, reviewer, drop reasons, what to run when a run ends",
    ),
    ("~/.config/tunedeck/keymap.toml", "your own keys"),
    ("~/.config/tunedeck/themes/*.toml", "your own themes"),
    ("~/.local/state/tunedeck/", "what you have allowed with `tunedeck trust`"),
    ("./runs/", "one folder per run: recipe, metrics, log, checkpoints, adapter"),
    ("./.tunedeck/", "decisions on rows, the queue, and caches of this workspace"),
)
"""Where settings and results are, each with what it holds."""


def variables_of(areas: tuple[str, ...]) -> list[str]:
    """The names of the variables of some areas, in order."""
    return [name for variable in VARIABLES if variable.area in areas for name in variable.name.split(", ")]
