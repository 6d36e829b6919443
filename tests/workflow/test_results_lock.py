"""Two checkouts with one results folder: the second run is refused, and nothing else is."""

from __future__ import annotations

import os

from snakemake_runs import Tree

from verbatim.io import locks

TARGET, RESULTS = "results/shared/world/drawings.npy", "results/shared"


def test_a_second_run_is_refused_until_the_first_has_ended_and_a_dry_run_never(tmp_path):
    tree = Tree(tmp_path / "tree", ("config/smoke.yaml",))
    locks.lock_results(tree.folder / RESULTS, "/home/another/checkout")
    done = tree.run(TARGET, results=RESULTS)
    assert done.code != 0
    assert f"process {os.getpid()} on host" in done.text
    assert "/home/another/checkout" in done.text
    assert not (tree.folder / TARGET).exists()
    assert tree.plan(TARGET, results=RESULTS).rules == {"build_drawings"}
    os.close(locks._held.pop((tree.folder / RESULTS / locks.NAME).resolve()))
    done = tree.run(
        TARGET, results=RESULTS
    )  # its jobs are processes of their own, and take no lock
    assert done.code == 0, done.text[-3000:]
    assert (tree.folder / TARGET).exists()
