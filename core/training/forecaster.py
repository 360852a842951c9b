"""The service that computes exact memory forecasts: `python -m core.training.forecaster`, JSON lines as a preview.

`{"id": 1, "ask": "forecast", "recipe": {...}, "device": "cuda", "lengths": [[812, 300]]}` gets `peak` and `held` in
bytes and `seconds`. It loads no weights, uses no GPU and asks the network for nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import BadInput, TunedeckError
from core.recipe.recipe import from_json


class Forecaster:
    """Answers questions about recipes; a tokenizer stays loaded until another model is asked about."""

    def __init__(self) -> None:
        self._tokenizer: tuple[object, Any] | None = None

    def forecast(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The memory of one recipe.

        Args:
            question: `recipe`, `device` and `lengths`: tokens and trained tokens of the longest samples.

        Raises:
            BadInput: why there is no exact forecast of it.
        """
        from core.engine.load import load_tokenizer
        from core.training.forecast import measure_step

        recipe = from_json(question["recipe"])
        key = (recipe.model.path, recipe.model.revision)
        if self._tokenizer is None or self._tokenizer[0] != key:
            self._tokenizer = (key, load_tokenizer(recipe.model))
        lengths = [(int(tokens), int(trained)) for tokens, trained in question.get("lengths") or ()]
        try:
            found = measure_step(recipe, question["device"], lengths=lengths, tokenizer=self._tokenizer[1])
        except TunedeckError:
            raise
        except Exception as error:
            words = str(error).strip().partition("\n")[0][:160]
            raise BadInput(f"No exact forecast for this model ({type(error).__name__}: {words})") from error
        return {"peak": found.peak, "held": found.held, "seconds": round(found.seconds, 2)}


def main(argv: Sequence[str] = ()) -> int:
    """Serves until stdin ends; says that it is ready when the libraries are loaded."""
    from core.jobs.serve import serve

    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.nice(10)  # whoever looks at the form must not wait for it
    with contextlib.redirect_stdout(sys.stderr):  # stdout belongs to the answers
        import datasets
        import torch
        import transformers

        import core.training.forecast  # noqa: F401

        datasets.disable_progress_bars()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(1)
    return serve({"forecast": Forecaster().forecast})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
