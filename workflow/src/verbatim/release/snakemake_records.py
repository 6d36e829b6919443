"""Which jobs made the files of a run: read from Snakemake's own records, `.snakemake/metadata`.

Snakemake keeps a JSON file for each output. Its path, without the marks "@" of folders, is the output's name in URL-safe
base64.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# `snakemake --touch` rewrites the records without running anything, and changes neither benchmarks nor logs. ASSUME: the
# time that a record tells is of the job if it is at least half as long as the job's own benchmark, and ends no later
# after the log's last line than the whole job took, plus 2 seconds for file systems that round times
LEAST_SHARE, ROUNDED = 0.5, 2.0


class RecordError(ValueError):
    """A result has no readable record; the message names the file and the cure."""


@dataclass(frozen=True)
class Job:
    """One job that ran.

    rule : its name. inputs, outputs : paths, relative to the folder that Snakemake ran in where they were so in the rule.
    log : path of its log; it identifies the job, as each job has a log of its own. started, ended : seconds since 1970
    by the clock of the run. logged : when its log was last written; 0 without a log. usage : columns of its benchmark, as
    text; empty where it has none.
    """

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str
    started: float
    ended: float
    logged: float
    usage: Mapping[str, str]

    @property
    def timed(self) -> bool:
        """Whether `started` and `ended` are of the job, not of a later `--touch`; False where no benchmark tells."""
        try:
            seconds = float(self.usage["s"])
        except (KeyError, ValueError):
            return False
        whole = self.ended - self.started >= LEAST_SHARE * seconds
        return whole and self.ended <= self.logged + seconds + ROUNDED


def output_of(record: PurePosixPath) -> str:
    """The output that a record is of, from the record's path under `.snakemake/metadata`; "" for other files."""
    *folders, last = record.parts
    text = "".join([folder.removeprefix("@") for folder in folders] + [last])
    try:
        return base64.urlsafe_b64decode(text).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def benchmark_of(log: str) -> str:
    """Path of a job's benchmark, from that of its log: both are named after the rule."""
    return log.replace("/logs/", "/benchmarks/").removesuffix(".log") + ".tsv"


def read_usage(path: str | Path) -> dict[str, str]:
    """First row of a benchmark: s in seconds, max_rss and the like in MB, cpu_time in seconds; {} without the file."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return dict(next(csv.DictReader(file, delimiter="\t"), {}))
    except FileNotFoundError:
        return {}


def read_jobs(folder: Path) -> list[Job]:
    """Every job of which an output is there, in the order of their logs' paths.

    Parameters
    ----------
    folder
        Of the records. Paths in them are looked up from the current folder.

    Raises
    ------
    RecordError
        The folder is missing, or a record is not what Snakemake writes.
    """
    if not folder.is_dir():
        raise RecordError(
            f"{folder}: no such folder; make the release in the folder that the run was started in, without "
            "`--drop-metadata`"
        )
    found: dict[tuple[str, str], list[tuple[str, dict]]] = {}
    for path in sorted(folder.rglob("*")):
        output = output_of(PurePosixPath(path.relative_to(folder))) if path.is_file() else ""
        if not output or not Path(output).exists():
            continue
        try:
            record = json.loads(path.read_text("utf-8"))
            key = record["rule"], (record["log"] or [output])[0]
            record["starttime"] + record["endtime"], record["input"]
        except (ValueError, KeyError, TypeError) as err:
            raise RecordError(
                f"{path}: the record of {output} cannot be read ({err}); delete {output} and run the workflow again"
            ) from err
        found.setdefault(key, []).append((output, record))
    return [_join(*key, found[key]) for key in sorted(found, key=lambda key: key[::-1])]


def _join(rule: str, log: str, records: Sequence[tuple[str, dict]]) -> Job:
    """The job of several outputs; its inputs are those of the newest record."""
    _, newest = max(records, key=lambda one: one[1]["endtime"])
    return Job(
        rule,
        tuple(newest["input"]),
        tuple(output for output, _ in records),
        log,
        min(record["starttime"] for _, record in records),
        max(record["endtime"] for _, record in records),
        Path(log).stat().st_mtime if Path(log).is_file() else 0.0,
        read_usage(benchmark_of(log)),
    )


def select_upstream(jobs: Iterable[Job], targets: Iterable[str]) -> list[Job]:
    """The jobs that `targets` come from, each behind those that made its inputs.

    Raises
    ------
    RecordError
        A target has no record.
    """
    maker = {output: job for job in jobs for output in job.outputs}

    def made_by(path: str) -> Job | None:
        """The job of a file, or of the folder that it lies in."""
        places = [path, *map(str, Path(path).parents)]
        return next((maker[place] for place in places if place in maker), None)

    order: dict[str, Job] = {}
    todo: list[tuple[Job, bool]] = []
    for target in targets:
        job = made_by(target)
        if job is None:
            raise RecordError(
                f"{target}: Snakemake has no record of the job that made it; delete it and run `make all` again"
            )
        todo.append((job, False))
    todo.reverse()
    open_jobs: set[str] = set()
    while todo:
        job, inputs_done = todo.pop()
        if inputs_done:
            order.setdefault(job.log, job)
        elif job.log not in order and job.log not in open_jobs:
            open_jobs.add(job.log)
            todo.append((job, True))
            makers = [made_by(path) for path in reversed(job.inputs)]
            todo += [(one, False) for one in makers if one is not None]
    return list(order.values())
