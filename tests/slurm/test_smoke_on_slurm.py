"""The smoke world through the slurm profile, on a real cluster of two nodes with fake GPUs."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from slurm_runs import assert_same_tables

RESULTS = "results/slurm"


@pytest.fixture(scope="module")
def made(tree, undisturbed) -> Path:
    """The whole chain from nothing, as SLURM jobs."""
    shutil.rmtree(tree.folder / RESULTS, ignore_errors=True)
    (tree.folder / f"{RESULTS}.log").unlink(missing_ok=True)
    tree.forget_jobs()
    start = time.monotonic()
    code = tree.start("all", results=RESULTS).wait(timeout=3000)
    assert code == 0, tree.log(RESULTS)[-5000:]
    ended = Counter(job.state for job in tree.jobs())
    tree.report("the same on SLURM", time.monotonic() - start, jobs=dict(ended))
    return tree.folder / RESULTS


def test_the_tables_are_those_of_a_run_on_one_machine(made, undisturbed):
    assert_same_tables(undisturbed, made)


def test_every_job_went_through_slurm_and_none_failed(tree, made):
    jobs = tree.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert all(job.name.startswith("verbatim_") for job in jobs)
    assert {job.node for job in jobs} == {"n1", "n2"}


def test_jobs_that_call_a_network_had_a_gpu_and_the_others_stayed_away_from_them(tree, made):
    given = tree.with_gpu()
    rules = {job.rule for job in tree.jobs() if job.number in given}
    assert {"train_model", "denoise_whitebox", "generate_candidates"} <= rules
    assert "label_candidates" not in rules
    for job in tree.jobs():
        assert (job.number in given) == (job.partition == "gpu"), job


def test_small_rules_shared_a_job(tree, made):
    """Fewer jobs than rules were run, and the members of a group ran in the group's one."""
    counts = Counter(job.rule for job in tree.jobs())
    for member in ("plot_recall", "count_recall", "build_dataset", "select_blackbox"):
        assert member not in counts, counts
    assert len(tree.jobs()) < len(list((made / "logs").rglob("*.log")))


def test_a_second_run_submits_nothing(tree, made):
    before = len(tree.jobs())
    again = subprocess.run(
        tree.slurm_command("all", results=RESULTS), cwd=tree.folder, env=tree.environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr[-3000:]
    assert "Nothing to be done" in again.stderr + again.stdout
    assert len(tree.jobs()) == before
