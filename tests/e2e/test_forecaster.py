"""The service that computes exact memory forecasts, as the form asks it."""

from __future__ import annotations

import os

import pytest

from core.jobs.service import Service, ServiceFailed
from core.recipe.recipe import to_json
from tests.kit.training_runs import recipe
from tests.kit.warm.process import WarmPython


def test_it_answers_with_bytes_or_a_sentence(warm: WarmPython) -> None:
    service = Service([warm.path, "-m", "core.training.forecaster"], env={**os.environ, **warm.environment})
    try:
        question = {"device": "cuda", "lengths": [[60, 20]] * 4}
        found = service.submit("forecast", recipe=to_json(recipe()), **question).result(timeout=120)
        assert 0 < found["held"] < found["peak"]
        longer = service.submit("forecast", recipe=to_json(recipe()), device="cuda", lengths=[]).result(timeout=120)
        assert longer["peak"] > found["peak"]
        sharded = recipe(training__devices="0,1", training__parallel="fsdp")
        with pytest.raises(ServiceFailed, match="fsdp"):
            service.submit("forecast", recipe=to_json(sharded), **question).result(timeout=120)
    finally:
        service.close()
