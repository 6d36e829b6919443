"""A cluster, an undisturbed local run of the smoke world, and copies of it to go on from.

Nothing here runs without VERBATIM_SLURM, which `make test-slurm` and `make test-slurm-chaos` set. It names a
folder that is kept, so that the second call goes on from the first one's runs; empty, it is a temporary one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "workflow")]

from cluster import Cluster, NoCluster, free_ports  # noqa: E402
from slurm_runs import SlurmTree  # noqa: E402

LOCAL = "results/local"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "VERBATIM_SLURM" not in os.environ:
        why = "minutes on a real cluster: make test-slurm, make test-slurm-chaos"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two nodes of four cores and one fake GPU; with VERBATIM_SLURM_ACCOUNTING, slurmdbd too."""
    root = Path(
        tempfile.mkdtemp(prefix="vs", dir="/tmp")
    )  # a short path: munge's socket lies in it
    accounting = bool(os.environ.get("VERBATIM_SLURM_ACCOUNTING"))
    one = Cluster(root, port=free_ports(), accounting=accounting)
    try:
        one.up()
    except NoCluster as err:
        shutil.rmtree(root)
        pytest.exit(f"no SLURM cluster here: {err}", returncode=1)
    yield one
    one.down()
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def tree(cluster, tmp_path_factory) -> SlurmTree:
    folder = Path(os.environ["VERBATIM_SLURM"] or tmp_path_factory.mktemp("slurm")).resolve()
    return SlurmTree(folder / "tree", cluster)


@pytest.fixture(scope="session")
def undisturbed(tree) -> Path:
    """The smoke world's results, run on this machine without SLURM."""
    start = time.monotonic()
    done = tree.run("all", "--rerun-incomplete", results=LOCAL)
    assert done.code == 0, done.text[-5000:]
    tree.report("undisturbed run here", time.monotonic() - start, jobs=len(done.jobs))
    return tree.folder / LOCAL
