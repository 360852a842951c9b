"""A cluster looked at again: the same similarities, other rows that stay, pairs that are no duplicates."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from core.dataset.near.result import Cluster
from core.dataset.scan import job as scan_job
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.regroup import Regroup
from core.jobs.folder import JobFolder
from core.jobs.service import Service
from tests.kit.waiting import PATIENCE
from tests.unit.test_near_scan import texts_file
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence


def searched(folder: Path, texts: list[str], **near: object) -> tuple[JobFolder, list[Cluster]]:
    """A finished search for near-duplicates, and what it found."""
    file = texts_file(folder / "a.jsonl", texts)
    payload: dict[str, Any] = {
        "paths": [str(file)],
        "near": {"threshold": 0.8, **near},
        "checks": ["near_duplicate", "leak_near"],
    }
    job = JobFolder.create(folder / "runs", "near", "scan", payload=payload)
    scan_job.run(job, payload)
    clusters = ScanReader(job.path).clusters()
    assert clusters is not None
    return job, clusters


def chain(made: random.Random) -> list[str]:
    """Three texts of which only neighbours are alike, and a copy of the second."""
    first = sentence(made, 60)
    second = with_slips(first, 5, made)
    return [first, second, with_slips(second, 5, made), second]


def test_a_cluster_alone_comes_out_as_in_the_whole_search(tmp_path: Path) -> None:
    made = random.Random(1)
    header = sentence(made, 20)
    rows = [f"{header} {sentence(made, 30)}" for _ in range(40)]
    texts = [*rows, with_slips(rows[3], 2, made), rows[3] + " more", *chain(made)]
    job, clusters = searched(tmp_path, texts)
    again = Regroup.of_job(job.path)
    assert len(clusters) == 2
    for cluster in clusters:
        assert again.regroup(cluster.rows) == (cluster,)


def test_the_row_that_is_chosen_stays_and_others_go_only_because_of_rows_that_stay(tmp_path: Path) -> None:
    job, (cluster,) = searched(tmp_path, chain(random.Random(2)))
    assert cluster.rows == (0, 1, 2, 3)
    assert cluster.keep == (0, 2)
    again = Regroup.of_job(job.path)
    (middle,) = again.regroup(cluster.rows, preferred=[3])
    assert middle.keep == (3,)
    assert [(drop.row, drop.because_of) for drop in middle.drop] == [(0, 3), (1, 3), (2, 3)]
    assert middle.drop[1].similarity == 1
    assert all(drop.similarity >= 0.8 for drop in middle.drop)
    without = again.regroup([0, 2])
    assert without == (), "without the rows between them the ends are not alike"


def test_pairs_held_apart_are_none_and_longest_is_a_choice(tmp_path: Path) -> None:
    made = random.Random(3)
    text = sentence(made, 40)
    job, (cluster,) = searched(tmp_path, [text, text + " and", text + " and more"])
    again = Regroup.of_job(job.path)
    (longest,) = again.regroup(cluster.rows, keep="longest")
    assert longest.keep == (2,)
    (rest,) = again.regroup(cluster.rows, apart=[(0, 1), (2, 0)])
    assert rest.rows == (1, 2)
    assert again.regroup(cluster.rows, apart=[(0, 1), (0, 2), (1, 2)]) == ()


def test_a_pair_held_apart_holds_for_copies_but_of_equal_rows_for_these_two_alone(tmp_path: Path) -> None:
    made = random.Random(5)
    text = sentence(made, 40)
    job, (cluster,) = searched(tmp_path, [text, text + " more", text + " more", text])
    again = Regroup.of_job(job.path)
    first, second = again.regroup(cluster.rows, apart=[(0, 1)])
    assert (first.rows, second.rows) == ((0, 3), (1, 2))
    (rest,) = again.regroup(cluster.rows, apart=[(0, 3)])
    assert rest.keep == (0, 3)
    assert rest.rows == (0, 1, 2, 3)


def test_the_service_answers_and_says_what_is_wrong(tmp_path: Path) -> None:
    job, (cluster,) = searched(tmp_path, chain(random.Random(4)))
    command = [sys.executable, "-m", "core.dataset.scan.regroup"]
    service = Service([*command, str(job.path)])
    try:
        (answer,) = service.submit("regroup", rows=list(cluster.rows), preferred=[2]).result(PATIENCE)
    finally:
        service.close()
    assert 2 in Cluster.from_json(answer).keep
    (job.path / "scan" / "shared.json").write_text(json.dumps([]))
    gone = Service([*command, str(job.path)])
    try:
        error = gone.submit("regroup", rows=[0, 1]).exception(PATIENCE)
    finally:
        gone.close()
    assert "the result of this search cannot be read" in str(error)
