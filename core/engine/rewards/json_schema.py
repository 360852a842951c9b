"""1 where the answer is JSON, and fits a schema; in a separate process, because a schema can contain patterns."""

from __future__ import annotations

import json
from pathlib import Path

from core.engine.rewards import RewardSetting, Scorer
from core.engine.rewards.child import ScoringProcess
from core.errors import BadInput
from core.recipe.sections.rewards import RewardEntry

_SECONDS, _GIB = 10.0, 1.0


def make(reward: RewardEntry, setting: RewardSetting) -> Scorer:
    """Checks each answer, with or without a fence of Markdown around it, against the schema in `file`, if any.

    Raises:
        BadInput: the file cannot be read or is no schema.
    """
    schema = "true"
    if reward.file:
        try:
            schema = Path(reward.file).read_text("utf-8")
            json.loads(schema)
        except (OSError, ValueError) as error:
            raise BadInput(f"Cannot read the JSON schema: {error}", where=reward.file) from error
    source = Path(__file__).with_name("json_schema_check.py").read_text("utf-8")
    name = reward.file or "json_schema"
    check = ScoringProcess(
        source + f"\nSCHEMA = parsed({schema!r})\n",
        name=name,
        function="reward",
        seconds=_SECONDS,
        memory=_GIB,
        tick=setting.look,
    )
    check.start()
    return check.score
