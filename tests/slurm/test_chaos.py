"""What goes wrong on a cluster must not show in the tables.

To be short, runs start from the trained smoke world (a copy of the undisturbed run without what the attacks made)
and make the scores, labels and tables of one model again: about 15 SLURM jobs, most of which wait for the one before.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from slurm_runs import SlurmJob, SlurmTree, assert_same_tables

KILLS = int(os.environ.get("VERBATIM_SLURM_KILLS", "10"))
SEED = int(os.environ.get("VERBATIM_SLURM_SEED", "0"))
# a copy's params hold its folder's name; what was trained shall not be trained again for that
ARGS = ("evaluation", "--rerun-triggers", "mtime")
SELECTED = {"select_models": "[sd1]"}


@pytest.fixture(scope="module")
def expected(tree, undisturbed) -> Path:
    """The same part of the workflow, made once without SLURM and without disturbance."""
    copy = tree.trained(undisturbed, "results/expected")
    start = time.monotonic()
    done = tree.run(*ARGS, results="results/expected", **SELECTED)
    assert done.code == 0, done.text[-5000:]
    tree.report("one model's attacks here", time.monotonic() - start, jobs=len(done.jobs))
    return copy


def wait_for(tree: SlurmTree, run: subprocess.Popen, rules: set[str]) -> SlurmJob:
    """The first job of one of these rules that runs."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        for job in tree.jobs("running"):
            if job.rule in rules:
                return job
        assert run.poll() is None, "the run ended before it could be disturbed"
        time.sleep(0.2)
    raise AssertionError(f"no job of {rules} ever ran")


def state_of(tree: SlurmTree, number: str) -> str:
    return next(job.state for job in tree.jobs() if job.number == number)


def test_a_job_cancelled_a_node_set_down_and_a_job_over_its_memory_change_no_table(
    tree, cluster, undisturbed, expected
):
    results = "results/disturbed"
    copy = tree.trained(undisturbed, results)
    tree.forget_jobs()
    # 650 MB hold the two snakemakes of a job, but not the network
    profile = tree.changed_profile(
        "denoise_whitebox", mem_mb="650 if attempt == 1 else 4000 * attempt"
    )
    start = time.monotonic()
    run = tree.start(*ARGS, results=results, profile=profile, **SELECTED)
    try:
        cancelled = wait_for(tree, run, {"generate_blackbox"})
        cluster.call("scancel", cancelled.number)
        lost = wait_for(tree, run, {"filter_prompts"})
        node = f"nodename={lost.node}"
        cluster.call("scontrol", "update", node, "state=down", "reason=test")
        time.sleep(5)
        cluster.call("scontrol", "update", node, "state=resume")
        code = run.wait(timeout=1800)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            tree.way_back(results)
    assert code == 0, tree.log(results)[-5000:]
    jobs = tree.jobs()
    tree.report("disturbed", time.monotonic() - start, jobs=dict(Counter(j.state for j in jobs)))
    assert state_of(tree, cancelled.number) == "CANCELLED"
    assert state_of(tree, lost.number) == "NODE_FAIL"
    bad = {"CANCELLED", "FAILED", "OUT_OF_MEMORY"}
    over = [job for job in jobs if job.rule == "denoise_whitebox" and job.state in bad]
    assert over, "no job went over its memory"
    logs = "".join(p.read_text() for p in (cluster.root / "log").glob("slurmd.*.log"))
    assert "emory limit" in logs
    for job in (cancelled, lost, over[0]):
        again = [one.state for one in jobs if one.what == job.what and one.number != job.number]
        assert "COMPLETED" in again, f"{job.what} was not made again: {again}"
    assert_same_tables(expected, copy)


def test_snakemake_killed_at_random_moments_ends_in_the_same_tables(tree, undisturbed, expected):
    """kill -9, cancel what is left, unlock, start again; ten times, then to the end."""
    results = "results/killed"
    copy = tree.trained(undisturbed, results)
    moments = random.Random(SEED)
    before = len(list(copy.rglob("*.parquet")))
    start, kills, finished = time.monotonic(), 0, 0
    while kills < KILLS:
        run = tree.start(*ARGS, results=results, **SELECTED)
        moment = moments.uniform(1, 40)
        try:
            code = run.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            kills += 1
            left = Counter(job.state for job in tree.jobs("running", "pending"))
            said = tree.way_back(results)
            done = len(list(copy.rglob("*.parquet"))) - before
            tree.report(
                f"kill {kills}", moment, left_in_SLURM=dict(left), new_tables=done, then=said
            )
            continue
        # it ended before its moment came: from the beginning again
        assert code == 0, tree.log(results)[-5000:]
        assert_same_tables(expected, copy)
        finished += 1
        copy = tree.trained(undisturbed, results)
    code = tree.start(*ARGS, results=results, **SELECTED).wait(timeout=1800)
    assert code == 0, tree.log(results)[-5000:]
    assert_same_tables(expected, copy)
    left = [p for p in copy.rglob("*") if p.name.endswith(".tmp")]
    assert left == []
    tree.report(
        f"{KILLS} kills, then to the end", time.monotonic() - start, finished_between=finished
    )
