"""Rewards tried on a few samples before a run: `python -m core.engine.rewards.trial`.

Reads one line of JSON on stdin, `{"recipe": ..., "samples": [Sample.to_json()]}`, and writes one line: for each reward
what it gives to the data's own answers, and to an empty one. Each is tried by itself, so one that fails hides none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from core.dataset.sample import Sample
from core.engine.asked import parted
from core.engine.rewards import Completions, RewardSetting, Score, names_of, reward_functions
from core.engine.template import as_template_turn
from core.errors import BadInput, TunedeckError
from core.recipe.recipe import Recipe, from_json, put
from core.recipe.rewards import ANSWER, KINDS
from core.recipe.sections.rewards import RewardEntry


def tried(recipe: Recipe, samples: Sequence[Sample], tokenizer: Any = None) -> dict[str, Any]:
    """Scores of the data's own answers, and of an empty one to each prompt.

    Args:
        recipe: with absolute paths.
        samples: a few of the dataset, with the columns that rewards read.
        tokenizer: of the model; None loads it where a reward counts tokens.
    """
    rows = [(sample, *parted(sample)) for sample in samples]
    answered = [(sample, turns, answer) for sample, turns, answer in rows if answer is not None]
    own = _batch(recipe, tokenizer, [(sample, turns, answer or "") for sample, turns, answer in answered])
    empty = _batch(recipe, tokenizer, [(sample, turns, "") for sample, turns, _ in rows])
    found = []
    for name, reward in zip(names_of(recipe.rewards), recipe.rewards, strict=True):
        line: dict[str, Any] = {"name": name, "kind": reward.kind, "weight": reward.weight, "error": ""}
        try:
            line["own"], line["empty"] = _scored(recipe, reward, own), _scored(recipe, reward, empty)
        except TunedeckError as error:
            line["error"] = str(error)
        found.append(line)
    texts = [
        {"prompt": sample.text if sample.kind == "text" else turns[-1].content, ANSWER: answer}
        for sample, turns, answer in (answered or rows)
    ]
    return {"rewards": found, "samples": texts, "answered": len(answered), "of": len(rows)}


def _scored(recipe: Recipe, reward: RewardEntry, batch: Completions) -> list[Score]:
    if not batch.texts:
        return []
    alone = put(recipe, "rewards", (reward,))
    with reward_functions(RewardSetting(alone)) as rewards:
        return rewards[0].score(batch)


def _batch(recipe: Recipe, tokenizer: Any, rows: Sequence[tuple[Sample, Any, str]]) -> Completions:
    plain = bool(rows) and rows[0][0].kind == "text"
    texts = [text for _, _, text in rows]
    names = dict.fromkeys(name for sample, _, _ in rows for name in sample.columns)
    columns = {name: [sample.columns.get(name) for sample, _, _ in rows] for name in names}
    own = [parted(sample)[1] for sample, _, _ in rows]
    return Completions(
        prompts=[sample.text if plain else list(map(as_template_turn, turns)) for sample, turns, _ in rows],
        completions=texts if plain else [[{"role": "assistant", "content": text}] for text in texts],
        texts=texts,
        ids=_ids(recipe, tokenizer, texts),
        columns={ANSWER: own, **columns},
    )


def _ids(recipe: Recipe, tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of the texts and the one that ends an answer; words, where no reward counts tokens."""
    if not any(KINDS[reward.kind].of_tokens or KINDS[reward.kind].runs_code for reward in recipe.rewards):
        return [list(range(len(text.split()))) for text in texts]
    if tokenizer is None:
        from core.engine.load import load_tokenizer

        tokenizer = load_tokenizer(recipe.model)
    return [[*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id] for text in texts]


def main() -> int:
    """Answers the question on stdin.

    Returns:
        0, or 2 with a sentence on stderr.
    """
    try:
        question = json.loads(sys.stdin.buffer.readline())
        samples = []
        for value in question["samples"]:
            sample = Sample.from_json(value)
            try:
                parted(sample)
            except BadInput:
                continue
            samples.append(sample)
        if not samples:
            raise BadInput("None of the samples is a prompt that can be answered", where="data.train")
        sys.stdout.write(json.dumps(tried(from_json(question["recipe"]), samples)) + "\n")
        sys.stdout.flush()
    except TunedeckError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
