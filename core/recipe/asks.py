"""What in a recipe runs with the user's permissions and so needs their consent once: see `core.jobs.trust`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.errors import BadInput
from core.jobs.trust import CODE, COMMAND, FILE, ConsentRequest
from core.recipe.recipe import Recipe, why_without_effect
from core.recipe.rewards import KINDS
from core.recipe.sections.model import Model

FIELD_OF = {COMMAND: "reporting.at_end", CODE: "model.trust_remote_code", FILE: "rewards"}
"""The field that wants each of them."""


def asks_of(recipe: Recipe) -> list[ConsentRequest]:
    """What a recipe runs: its notify command, the model's code, and the files of its rewards, allowed or not.

    Args:
        recipe: with absolute paths.
    """
    asks = []
    if command := recipe.reporting.at_end.strip():
        asks.append(ConsentRequest(COMMAND, command))
    if recipe.model.trust_remote_code:
        asks.append(code_ask(recipe.model))
    if not why_without_effect(recipe, "rewards"):
        for reward in recipe.rewards:
            if KINDS[reward.kind].runs_code and reward.file:
                with suppress(BadInput):  # preflight says why it cannot be read
                    asks.append(read_reward_file(reward.file)[1])
    return list(dict.fromkeys(asks))


def code_ask(model: Model) -> ConsentRequest:
    """The consent that a model's own code needs: for that model by name, and by revision if it names one."""
    return ConsentRequest(CODE, f"{model.path}@{model.revision}" if model.revision else model.path)


_MOST = 2**20


def read_reward_file(name: str) -> tuple[str, ConsentRequest]:
    """The text of a Python file that scores answers, and the consent that it needs: for its SHA-256.

    Raises:
        BadInput: it cannot be read, or is no Python file.
    """
    import hashlib

    try:
        with Path(name).open("rb") as stream:
            raw = stream.read(_MOST + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"Cannot read the reward file: {why}", where=name) from error
    if len(raw) > _MOST:
        raise BadInput("The reward file is larger than 1 MiB", where=name, do="Give the Python file, not the data")
    return text, ConsentRequest(FILE, hashlib.sha256(raw).hexdigest(), name)
