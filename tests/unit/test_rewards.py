"""Rewards: what each kind scores, how a user's file is run, and that nothing goes wrong without a sentence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from core.engine.rewards import Completions, NamedReward, RewardSetting, json_schema_check, names_of, reward_functions
from core.errors import BadInput
from core.jobs.trust import FILE, NotAgreed
from core.recipe.asks import asks_of, read_reward_file
from core.recipe.declare import Problem
from core.recipe.recipe import KNOBS, Recipe, from_json, put, to_json
from core.recipe.rewards import KINDS
from core.recipe.rules.validate import validate
from core.recipe.sections.rewards import RewardEntry as Entry
from core.recipe.yamlfile import dumps, loads
from core.runs.consent import agree_to_typed
from core.runs.reward_files import keep_reward_files, kept_files, with_kept_files


def recipe(*rewards: Entry, **changes: Any) -> Recipe:
    found = put(put(Recipe(), "task", "grpo"), "rewards", rewards)
    for path, value in {"model.path": "org/name", "data.train": ("/d.jsonl",), **changes}.items():
        found = put(found, path.replace("__", "."), value)
    return found


def batch(texts: Sequence[str], **columns: Sequence[Any]) -> Completions:
    prompts = [[{"role": "user", "content": f"Question {number}"}] for number in range(len(texts))]
    turns = [[{"role": "assistant", "content": text}] for text in texts]
    ids = [list(range(len(text.split()))) for text in texts]
    return Completions(prompts, turns, list(texts), ids, columns)


def scores(reward: Entry, texts: Sequence[str], **columns: Sequence[Any]) -> list[float | None]:
    with reward_functions(RewardSetting(recipe(reward))) as rewards:
        return rewards[0].score(batch(texts, **columns))


def of_file(folder: Path, source: str, **settings: Any) -> Entry:
    path = folder / "score.py"
    path.write_text(source)
    read_reward_file(str(path))[1].agree()
    return Entry("python", file=str(path), **settings)


def fault(reward: Entry, texts: Sequence[str] = ("a", "b", "c"), **columns: Sequence[Any]) -> str:
    with pytest.raises(BadInput) as raised:
        scores(reward, texts, **columns)
    return str(raised.value)


# --- the kinds


def test_exact_match_compares_with_a_column_and_picks_by_its_pattern() -> None:
    assert scores(Entry("exact_match"), [" 42\n", "41"], answer=["42", "42"]) == [1, 0]
    assert scores(Entry("exact_match", column="n"), ["42"], n=[42]) == [1]
    picks = Entry("exact_match", pattern=r"#### (-?\d+)")
    gsm8k = ["So 6 * 7.\n#### 42", "42", "#### 41"]
    assert scores(picks, gsm8k, answer=["It is\n#### 42"] * 3) == [1, 0, 0]
    assert scores(picks, gsm8k, answer=["42"] * 3) == [1, 0, 0], "a reference may be the bare result"


def test_a_row_without_its_reference_is_named() -> None:
    said = fault(Entry("exact_match"), ["x", "y"], answer=["x", None])
    assert "no answer" in said
    assert "Question 1" in said
    assert "solution" in fault(Entry("exact_match", column="solution"), ["x"], answer=["x"])


def test_regex_length_and_json() -> None:
    assert scores(Entry("regex", pattern=r"^\d+$"), ["12", "a1", ""]) == [1, 0, 0]
    lengths = scores(Entry("length", min_tokens=2, max_tokens=4), ["a", "a b", "a b c d", "a b c d e f g h", ""])
    assert lengths == [0.5, 1, 1, 0.5, 0]
    texts = ['{"a": 1}', "```json\n[1]\n```", "{a: 1}", "", "nan?", "[" * 5_000]
    assert scores(Entry("json_schema"), texts) == [1, 1, 0, 0, 0, 0]


def test_a_json_schema_is_checked_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}))
    assert scores(Entry("json_schema", file=str(schema)), ['{"a": 1}', '{"a": "x"}', "{}", "[]"]) == [1, 0, 0, 0]
    schema.write_text('{"type": "thing"}')
    assert "schema.json" in fault(Entry("json_schema", file=str(schema)))
    schema.write_text("{")
    assert "Cannot read the JSON schema" in fault(Entry("json_schema", file=str(schema)))


ORDER = {
    "type": "object",
    "required": ["id", "lines"],
    "additionalProperties": False,
    "patternProperties": {"^x-": True},
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]{2}$", "maxLength": 2},
        "lines": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"$ref": "#/$defs/line"}},
        "state": {"enum": ["open", 1, None]},
        "total": {"type": ["number", "null"], "exclusiveMinimum": 0, "multipleOf": 0.01},
    },
    "$defs": {"line": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "minLength": 2}]}},
    "if": {"properties": {"state": {"const": "open"}}, "required": ["state"]},
    "then": {"required": ["total"]},
}


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"id": "AB", "lines": [1]}, 1),
        ({"id": "AB", "lines": [1.0, "xy"], "x-more": [], "total": 0.07}, 1),
        ({"id": "AB", "lines": [1, 1.0]}, 0),
        ({"id": "AB", "lines": [True]}, 0),
        ({"id": "AB", "lines": []}, 0),
        ({"id": "ab", "lines": [1]}, 0),
        ({"id": "AB", "lines": [1], "more": 1}, 0),
        ({"id": "AB", "lines": [1], "state": True}, 0),
        ({"id": "AB", "lines": [1], "state": None}, 1),
        ({"id": "AB", "lines": [1], "state": "open"}, 0),
        ({"id": "AB", "lines": [1], "state": "open", "total": None}, 1),
        ({"id": "AB", "lines": [1], "total": 0.005}, 0),
        ({"id": "AB"}, 0),
        ([1], 0),
    ],
)
def test_a_schema_is_held(value: Any, fits: int) -> None:
    json_schema_check.parsed(json.dumps(ORDER))
    assert json_schema_check.scored(json.dumps(value)) == fits


@pytest.mark.parametrize(
    "schema", [{"unevaluatedProperties": False}, {"$ref": "other.json"}, {"$ref": "#/$defs/x"}, {"type": "thing"}, []]
)
def test_what_a_schema_says_and_nobody_checks_is_refused(schema: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        json_schema_check.parsed(json.dumps(schema))


def test_rewards_of_trl_are_its_own_functions() -> None:
    thought = "<think>\nhm\n</think>\n42"
    assert scores(Entry("think_format"), [thought, "42", "<think>a"]) == [1, 0, 0]
    assert scores(Entry("repetition", ngram=2), ["a b c", "a"]) == [0, 0]
    overlong = recipe(Entry("soft_overlong", margin=4), rollouts__max_completion_length=8)
    found = reward_functions(RewardSetting(overlong))[0].score(batch(["w " * count for count in (3, 6, 8, 9)]))
    assert found == [0, -0.5, -1, -1]


def test_a_missing_package_is_said_before_anything_is_scored() -> None:
    assert "pip install math-verify" in fault(Entry("accuracy"), ["42"], answer=["42"])


def test_a_pattern_that_never_ends_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.rewards.matching._SECONDS", 0.1)
    said = fault(Entry("regex", pattern="(a|aa)+$"), ["a" * 60 + "b"])
    assert "(a|aa)+$" in said
    assert "0.1 s" in said


def test_charts_have_a_name_each() -> None:
    rewards = [
        Entry("regex", pattern="a"),
        Entry("regex", pattern="b"),
        Entry("length", name="short/ one"),
    ]
    rewards += [Entry("python", file="/x/score.py"), Entry("python", file="/x/score.py", function="polite")]
    rewards += [Entry("python", file=f"/runs/a/rewards/{'0' * 16}-tests.py")]
    assert names_of(rewards) == ["regex", "regex-2", "short_one", "score", "polite", "tests"]


# --- a Python file of the user's

GOOD = """
import math
print("loading")
CALLS = []
def reward(completions, answer=None, **_):
    CALLS.append(1)
    print("noise" * 1000)
    return [None if not c[0]["content"] else math.sqrt(len(c[0]["content"])) + len(CALLS) - 1 for c in completions]
def named(prompts, column):
    return [len(p[-1]["content"]) + c for p, c in zip(prompts, column)]
"""


def test_a_file_scores_and_remembers_and_may_print(tmp_path: Path) -> None:
    with reward_functions(RewardSetting(recipe(of_file(tmp_path, GOOD)))) as rewards:
        assert rewards[0].score(batch(["abcd", ""])) == [2, None]
        assert rewards[0].score(batch(["abcd"] * 2_000)) == [3] * 2_000
    named = of_file(tmp_path, GOOD, function="named")
    assert scores(named, ["x", "y"], column=[1, True]) == [11, 11], "gets what it asks for by name, and no more"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def reward(completions, **_):\n    return [1 / (len(c[0]['content']) - 2) for c in completions]",
         ["line 2", "ZeroDivisionError", "completion 2 of 3", "Question 1"]),
        ("def reward(**_):\n    return [1]", ["1 scores for 3 completions"]),
        ("def reward(completions, **_):\n    return [1, float('nan'), 1]", ["nan", "completion 2 of 3"]),
        ("def reward(completions, **_):\n    return [1, 2, 'high']", ["'high'", "completion 3 of 3"]),
        ("def reward(completions, **_):\n    return 5", ["returned 5"]),
        ("def score(completions, **_):\n    return [1]", ["reward", "it has score"]),
        ("def reward(:\n    pass", ["SyntaxError", "line 1"]),
        ("import nothing_like_this\n", ["nothing_like_this", "line 1"]),
        ("import sys\nsys.exit(3)", ["exit 3", "line 2"]),
        ("import os\ndef reward(**_):\n    os._exit(7)", ["exit code 7"]),
        ("import os, signal\ndef reward(**_):\n    os.kill(os.getpid(), signal.SIGKILL)", ["signal 9"]),
        ("def reward(completions, **_):\n    raise KeyError('x')", ["KeyError", "line 2"]),
        ("import signal\ndef reward(**_):\n    raise KeyboardInterrupt", ["KeyboardInterrupt", "line 3"]),
    ],
)  # fmt: skip
def test_what_goes_wrong_in_a_file_is_a_sentence_with_its_place(tmp_path: Path, source: str, words: list[str]) -> None:
    said = fault(of_file(tmp_path, source), ["a", "bb", "c"])
    for word in [*words, "score.py"]:
        assert word in said, said


def test_a_file_is_stopped_after_its_time_and_beyond_its_memory(tmp_path: Path) -> None:
    said = fault(of_file(tmp_path, "def reward(**_):\n    while True:\n        pass", timeout=0.3))
    assert "0.3 s" in said
    assert "line 3" in said or "line 2" in said
    deaf = "def reward(**_):\n  while True:\n    try:\n      while True: pass\n    except BaseException: pass"
    assert "0.2 s" in fault(of_file(tmp_path, deaf, timeout=0.2))
    greedy = "def reward(**_):\n    return [len(bytearray(10**9))] * 3"
    said = fault(of_file(tmp_path, greedy, memory=0.5))
    assert "memory" in said
    assert "line 2" in said


def test_a_file_has_none_of_our_secrets_and_cannot_answer_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    source = """
import os, sys
print('{"scores": [9, 9, 9]}')
sys.stdout.flush()
os.write(1, b'{"scores": [9, 9, 9]}\\n')
def reward(completions, **_):
    return [float("HF_TOKEN" in os.environ)] * len(completions)
"""
    assert scores(of_file(tmp_path, source), ["a", "b", "c"]) == [0, 0, 0]


def test_nothing_of_a_file_outlives_it(tmp_path: Path) -> None:
    source = f"""
import subprocess
child = subprocess.Popen(["sleep", "600"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
def reward(completions, **_):
    return [1] * len(completions)
"""
    assert scores(of_file(tmp_path, source), ["a"]) == [1]
    pid = int((tmp_path / "pid").read_text())
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
    raise AssertionError("a process that the file had started is still there")


def test_a_request_ends_the_wait_for_a_file(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def tick() -> None:
        raise Stop

    setting = RewardSetting(recipe(of_file(tmp_path, "def reward(**_):\n    while True: pass")))
    (reward,) = reward_functions(setting)
    setting.tick = tick
    with pytest.raises(Stop):
        reward.score(batch(["a"]))


# --- only what the user has allowed


def test_a_file_needs_a_yes_to_its_contents_and_a_changed_one_asks_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def reward(completions, **_):\n    return [1.0] * len(completions)\n")
    found = recipe(Entry("python", file=str(path)), Entry("python", weight=2.0, file=str(path), name="twice"))
    (ask,) = asks_of(found)
    assert ask.kind == FILE
    assert not ask.agreed
    assert str(path) in ask.question
    agree_to_typed(found, "rewards")
    assert not ask.agreed, "typing its name says nothing of what is in it"
    with pytest.raises(NotAgreed, match=r"mine\.py"):
        reward_functions(RewardSetting(found))
    ask.agree()
    with reward_functions(RewardSetting(found)) as rewards:
        assert [each.__name__ for each in rewards] == ["mine", "twice"]
    path.write_text("def reward(completions, **_):\n    return [2.0] * len(completions)\n")
    with pytest.raises(NotAgreed):
        reward_functions(RewardSetting(found))
    other = replace(found, task="sft")
    assert asks_of(other) == [], "a task without rewards runs no file"


def test_a_run_scores_with_its_own_copy(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    path = tmp_path / "mine.py"
    path.write_text("def reward(completions, **_):\n    return [1.0] * len(completions)\n")
    found = recipe(Entry("python", file=str(path)))
    asks_of(found)[0].agree()
    keep_reward_files(found, run)
    path.write_text("def reward(completions, **_):\n    return [2.0] * len(completions)\n")
    own = with_kept_files(found, run)
    assert kept_files(run) == {str(path): Path(own.rewards[0].file)}
    with reward_functions(RewardSetting(own)) as rewards:
        assert rewards[0].score(batch(["a"])) == [1]
    Path(own.rewards[0].file).write_text("def reward(completions, **_):\n    return [3.0]\n")
    with pytest.raises(NotAgreed):
        reward_functions(RewardSetting(own))
    (run / "rewards" / "files.json").write_text('{"a": "../../etc/passwd"}')
    assert kept_files(run) == {}


# --- form, YAML, --set and rules


def test_every_kind_is_written_and_read_back() -> None:
    for kind in KINDS.values():
        settings: dict[str, Any] = {"pattern": 'a,b; "c"=1|d', "file": "/f.py", "column": "solution", "model": "/m"}
        settings |= {"function": "polite", "min_tokens": 3, "max_tokens": 9, "ngram": 2, "margin": 5, "timeout": 1.5}
        used = {name: value for name, value in settings.items() if name in kind.uses}
        reward = Entry(kind.name, weight=-0.25, name="n", **used)
        knob = KNOBS["rewards"]
        assert knob.parse(knob.format((reward, Entry("think_format")))) == (
            reward,
            Entry("think_format"),
        ), kind
        found = recipe(reward)
        assert loads(dumps(found)) == found
        assert from_json(to_json(found)) == found
    assert KNOBS["rewards"].parse("think_format, regex=0.5; pattern=x") == (
        Entry("think_format"),
        Entry("regex", 0.5, pattern="x"),
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("exact=1", "exact_match"),
        ("regex=much; pattern=a", "number"),
        ("regex=1; patern=a", "patern"),
        ("=1", "must be"),
        ("python=1; file=a.py; timeout=0", "greater than 0"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, word: str) -> None:
    found = KNOBS["rewards"].parse(text)
    assert isinstance(found, Problem)
    assert word in found.sentence


@pytest.mark.parametrize(
    ("reward", "word"),
    [
        (Entry("regex"), "pattern"),
        (Entry("model"), "model"),
        (Entry("python"), "file"),
        (Entry("think_format", column="x"), "column"),
        (Entry("regex", pattern="("), "regular expression"),
        (Entry("length"), "min_tokens"),
        (Entry("length", min_tokens=5, max_tokens=2), "5"),
        (Entry("exact_match", column="prompt"), "prompt"),
        (Entry("exact_match", weight=0.0), "weight 0"),
    ],
)
def test_rules_name_what_is_wrong_with_a_reward(reward: Entry, word: str) -> None:
    errors = [each for each in validate(recipe(reward)) if each.severity == "error" and each.path == "rewards"]
    assert any(word in each.sentence for each in errors), errors


def test_the_loss_types_of_the_form_are_those_of_the_installed_trainer() -> None:
    spec = find_spec("trl")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).with_name("trainer").joinpath("grpo_trainer.py").read_text("utf-8")
    computed = set(re.findall(r'self\.loss_type == "(\w+)"', source))
    for listed in re.findall(r"self\.loss_type in \[([^]]*)\]", source):
        computed |= set(re.findall(r'"(\w+)"', listed))
    knob = KNOBS["grpo.loss_type"]
    assert computed == set(knob.choices)
    assert knob.default == "dapo"
    assert "default" in knob.choices["dapo"]


def test_batches_that_do_not_divide_are_refused_with_what_does() -> None:
    sound = recipe(Entry("think_format"), training__batch_size=8, training__eval_batch_size=8)
    assert not [each for each in validate(sound, samples=100) if each.severity == "error"]

    def said(path: str, **changes: Any) -> str:
        found = sound
        for name, value in changes.items():
            found = put(found, name.replace("__", "."), value)
        return " ".join(each.sentence for each in validate(found, samples=100) if each.path == path)

    words = said("rollouts.num_generations", training__batch_size=6, training__gradient_accumulation=1)
    assert "6 completions" in words
    assert "6 generations" in words
    assert "batch size of 8" in words
    words = said(
        "rollouts.num_generations", training__batch_size=5, training__devices="cpux2", training__gradient_accumulation=1
    )
    assert "5 or 10 generations" in words
    assert "2 ranks" in words
    few = {"training__eval_batch_size": 6, "rollouts__eval_generations": 4}
    assert "eval batch size of 8" in said("training.eval_batch_size", **few)
    assert said("training.eval_batch_size", **few, training__eval_every=0.0) == ""
    assert said("training.eval_batch_size", training__eval_batch_size=6) == "", "six generations fit"
    few = put(sound, "training.batch_size", 512)
    assert "only 3" in " ".join(each.sentence for each in validate(few, samples=3))


def test_a_reward_without_scores_for_all_or_with_no_number_is_refused() -> None:
    reward = NamedReward("mine", Entry(), lambda batch: [1.0])
    with pytest.raises(BadInput, match="1 scores for 2"):
        reward([["p"]] * 2, ["a", "b"], [[1], [1]])
    reward = NamedReward("mine", Entry(), lambda batch: [1.0, float("inf")])
    with pytest.raises(BadInput, match="completion 2 of 2"):
        reward(["p", "q"], ["a", "b"], [[1], [1]])
