"""Short questions to a warm child: answers, sentences, crashes, and an end with its viewer. A real child each time."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.jobs import process
from core.jobs.launch import clean_environment
from core.jobs.service import Service, ServiceFailed
from core.paths import ROOT
from tests.kit.waiting import PATIENCE, until

CHILD = [sys.executable, str(Path(__file__).parents[1] / "kit" / "service_worker.py")]
VIEWER = """
import sys
from core.jobs.launch import clean_environment
from core.jobs.service import Service
service = Service(sys.argv[1:])
service.submit("hang")
print(service.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def service() -> Iterator[Service]:
    asked = Service(CHILD)
    yield asked
    pid = asked.pid
    asked.close()
    until(lambda: pid is None or process.identify(pid) is None, "the child ends with its service")


async def test_questions_are_answered_in_order_whatever_libraries_print(service: Service) -> None:
    futures = [service.submit("add", a=number, b=1) for number in range(50)]
    assert await service.ask("add", a=1, b=1) == 2
    assert [future.result(PATIENCE) for future in futures] == list(range(1, 51))
    assert service.ready


def test_readiness_is_reported_before_the_first_question() -> None:
    ready = threading.Event()
    service = Service(CHILD, on_ready=ready.set)
    service.start()
    assert ready.wait(PATIENCE)
    assert service.ready
    service.close()


async def test_big_and_odd_answers_come_through(service: Service) -> None:
    text = "\ud83d\x00\u2028\n" + "x" * 3_000_000
    assert await service.ask("echo", text=text) == text
    assert await service.ask("echo", text=[math.nan]) == ["nan"]


async def test_errors_are_sentences_and_the_service_lives_on(service: Service) -> None:
    with pytest.raises(ServiceFailed) as caught:
        await service.ask("refuse")
    assert str(caught.value) == "chat_template.jinja: The template has no role for tools. Choose another template."
    with pytest.raises(ServiceFailed, match="KeyError: 'a'"):
        await service.ask("add")
    with pytest.raises(ServiceFailed, match="Unknown question 'sing'"):
        await service.ask("sing")
    assert await service.ask("add", a=1, b=2) == 3


async def test_crash_fails_who_waits_with_the_last_words_and_the_next_question_starts_it_again(
    service: Service,
) -> None:
    crash, behind = service.submit("crash"), service.submit("add", a=1, b=1)
    for future in (crash, behind):
        with pytest.raises(ServiceFailed, match=r"exit code 139.*Segmentation fault"):
            future.result(PATIENCE)
    assert not service.ready
    assert await service.ask("add", a=2, b=2) == 4


def test_service_that_cannot_start_says_why_and_is_not_started_for_ever() -> None:
    service = Service([*CHILD, "broken"])
    for _ in range(6):
        with pytest.raises(ServiceFailed, match="No module named 'torch'"):
            service.submit("add").result(PATIENCE)
    assert len(service._crashes) == 3
    missing = Service(["/no/such/python"])
    missing.start()
    with pytest.raises(ServiceFailed, match="/no/such/python"):
        missing.submit("add").result(PATIENCE)


async def test_no_gpu_is_visible_unless_it_is_wanted(service: Service) -> None:
    assert await service.ask("environment") == ""
    seeing = Service(CHILD, gpu=True, env={"CUDA_VISIBLE_DEVICES": "3"})
    assert await seeing.ask("environment") == "3"
    seeing.close()


def test_cancelled_question_is_not_computed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    lines = (
        json.dumps({"id": 1, "ask": "wait_for", "path": str(gate)}),
        '{"id": 2, "ask": "hang"}',
        '{"cancel": 2}',
        '{"id": 3, "ask": "add", "a": 2, "b": 3}',
        "no JSON",
    )
    with subprocess.Popen(
        CHILD, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write("".join(f"{line}\n" for line in lines))
        child.stdin.flush()
        assert child.stderr.readline() == "service: a line on stdin is not a JSON object\n"  # so all before it are read
        gate.touch()
        answers = [json.loads(child.stdout.readline()) for _ in range(3)]
        child.stdin.close()
        assert child.wait(PATIENCE) == 0
    assert answers == [{"ready": True}, {"id": 1, "answer": True}, {"id": 3, "answer": 5}]


def test_cancelled_future_takes_its_question_back(tmp_path: Path) -> None:
    received = tmp_path / "heard"
    service = Service(["sh", "-c", 'exec cat > "$0"', str(received)])
    waiting = service.submit("hang")
    assert waiting.cancel()
    until(
        lambda: received.exists() and b'{"cancel":1}' in received.read_bytes().splitlines(),
        "the question is taken back",
    )
    service.close()


def test_closed_service_fails_new_questions_and_those_that_wait() -> None:
    service = Service(CHILD)
    waiting = service.submit("hang")
    until(lambda: service.ready, "the child is ready")
    service.close()
    with pytest.raises(ServiceFailed, match="ended"):
        waiting.result(PATIENCE)
    with pytest.raises(ServiceFailed, match="closed"):
        service.submit("add").result(PATIENCE)


def test_child_ends_when_its_viewer_is_killed_in_the_middle_of_an_answer() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VIEWER, *CHILD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as viewer:
        assert viewer.stdout is not None
        child = process.identify(int(viewer.stdout.readline()))
        assert process.is_alive(child)
        viewer.kill()
    until(lambda: not process.is_alive(child), "nothing is left behind")
