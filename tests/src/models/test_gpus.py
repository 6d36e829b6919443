"""Jobs on a machine with several GPUs: real processes that claim one each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from verbatim.models import gpus

SRC = Path(gpus.__file__).parents[2]
JOB = """
import sys, os
from verbatim.models.gpus import claim_gpu
print(claim_gpu(int(sys.argv[1]), sys.argv[2]), os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Starts a job that holds its GPU until its standard input ends; its process and what it printed."""
    jobs = []

    def start(count: int, **environment: str) -> tuple[subprocess.Popen, list[str]]:
        env = {k: v for k, v in os.environ.items() if k != gpus.VISIBLE} | {"PYTHONPATH": str(SRC)}
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count), str(tmp_path)], env=env | environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        jobs.append(job)
        assert job.stdout is not None
        return job, job.stdout.readline().split()

    yield start
    for job in jobs:
        job.kill()
        job.wait()


def test_each_job_takes_a_free_gpu_and_gives_it_back_as_it_ends(start):
    first, taken = start(3)
    assert taken == ["0", "0"]
    assert start(3)[1] == ["1", "1"]
    first.kill()
    first.wait()
    assert start(3)[1] == ["0", "0"]
    assert start(3)[1] == ["2", "2"]


def test_where_all_are_taken_a_job_shares_one(start):
    assert [start(2)[1][0] for _ in range(2)] == ["0", "1"]
    index, visible = start(2)[1]
    assert index == visible in ("0", "1")


def test_a_schedulers_choice_and_a_single_gpu_are_left_alone(start):
    assert start(4, CUDA_VISIBLE_DEVICES="3")[1] == ["None", "3"]
    assert start(1)[1] == start(0)[1] == ["None", "None"]


def test_gpus_are_counted_as_the_driver_lists_them(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "GPUS", tmp_path / "gpus")
    assert gpus.count_gpus() == 0
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    assert gpus.count_gpus() == 2
