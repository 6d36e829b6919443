"""After a job has failed: what was to be made from its results is marked, so that the next run makes it.

Snakemake takes the results of a job away before the job starts, and records the job's new inputs and parameters even if it fails.
Results that were made of the old ones then look up to date ("Nothing to be done"; snakemake issue 1978, pull request 2966).
"""

from __future__ import annotations

import os
from typing import Any


def mark_unfinished(dag: Any, persistence: Any) -> list[str]:
    """Mark every present result of a job that waited for results that are not there; for `onerror`.

    A marked result is incomplete to Snakemake: `--rerun-incomplete` makes it again, and without it the run is refused.

    Parameters
    ----------
    dag, persistence : of Snakemake's workflow.

    Returns
    -------
    The marked files, sorted.
    """
    left = set(dag.needrun_jobs())
    lost = [job for job in left if not all(os.path.lexists(str(file)) for file in job.output)]
    waiting = [job for job in dag.bfs(dag.depending, *lost) if job in left]
    marked = []
    for job in waiting:
        present = [str(file) for file in job.output if os.path.lexists(str(file))]
        if present:
            persistence.started(job)
            marked += present
    return sorted(marked)
