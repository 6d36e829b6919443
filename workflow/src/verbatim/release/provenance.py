"""What ran: each job as a CreateAction, its rule as a step, the run as a whole (Provenance Run Crate 0.5)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rocrate.model.entity import Entity

from verbatim.release.citation import Author
from verbatim.release.crate import SCRIPTS, Release
from verbatim.release.snakemake_records import Job

COMPLETED = "http://schema.org/CompletedActionStatus"
SNAKEMAKE = "https://snakemake.github.io"
BENCHMARKS = "https://snakemake.readthedocs.io/en/stable/tutorial/additional_features.html"
CONFIG, MODELS = "run/config.yaml", "run/models.tsv"
# columns of a benchmark -> (meaning, code of the unit in UN/CEFACT's list: seconds, or megabytes)
USAGE = {
    "s": ("wall time", "SEC"),
    "cpu_time": ("processor time", "SEC"),
    "max_rss": ("largest resident memory", "4L"),
    "io_in": ("read", "4L"),
    "io_out": ("written", "4L"),
}
NOT_MEASURED = ("", "-", "NA")


def add_run(release: Release, jobs: Sequence[Job], targets: Iterable[str]) -> None:
    """Describe the run: its jobs in order, the step of each rule, the workflow's inputs, and the run as a whole.

    The run's results are `targets` and what no other job reads.

    The files that the crate holds are there already, `CONFIG`, `MODELS` and the rules' scripts among them.
    """
    told = release.told
    agent = {"agent": release.author(Author(told.agent, True, ""))} if told.agent else {}
    steps = _add_steps(release, jobs)
    actions = [_add_job(release, job, agent) for job in jobs]
    controls = [
        release.entity(
            f"{action.id}-control", "ControlAction", name=f"Snakemake runs {job.rule}",
            instrument=steps[job.rule], object=action,
        )
        for job, action in zip(jobs, actions, strict=True)
    ]  # fmt: skip
    times = {}
    if jobs and all(job.timed for job in jobs):
        times = {
            "startTime": iso(min(job.started for job in jobs)),
            "endTime": iso(max(job.ended for job in jobs)),
        }
    made = {output for job in jobs for output in job.outputs}
    used = {path for job in jobs for path in job.inputs}
    run = release.entity(
        "#run", "CreateAction", name=f"Run of {told.citation.title}", description=_describe(jobs, told.python),
        instrument=release.workflow, actionStatus=COMPLETED,
        object=[*_add_parameters(release), *_data(release, sorted(used - made))],
        result=_data(release, sorted((made - used) | set(targets))), **times, **agent,
    )  # fmt: skip
    engine = release.entity(
        f"{SNAKEMAKE}#{told.snakemake}", "SoftwareApplication", name="Snakemake", url=SNAKEMAKE,
        softwareVersion=told.snakemake,
    )  # fmt: skip
    release.entity(
        "#engine", "OrganizeAction", name="Snakemake runs the workflow", instrument=engine, object=controls, result=run,
        actionStatus=COMPLETED, **times, **agent,
    )  # fmt: skip
    release.crate.root_dataset["mentions"] = [run, *actions]


def iso(seconds: float) -> str:
    """A time in seconds since 1970 as ISO 8601, UTC, to the second."""
    return datetime.datetime.fromtimestamp(round(seconds), datetime.UTC).isoformat()


def _script(job: Job) -> str:
    """A job's script: both are named after the rule, and the stage is the folder of its log."""
    return f"{SCRIPTS}{job.log.partition('/logs/')[2].partition('/')[0]}/{job.rule}.py"


def _add_steps(release: Release, jobs: Sequence[Job]) -> dict[str, Entity]:
    """The step of each rule that ran, by its name, in the order of their first jobs; the script is the step's tool."""
    steps: dict[str, Entity] = {}
    tools = []
    for job in jobs:
        if job.rule in steps:
            continue
        tool = release.files[_script(job)]
        code = [one for one in map(release.places.name, job.inputs) if one.endswith(".py")]
        known = [release.files[one] for one in code if one in release.files]
        if known:
            tool["softwareRequirements"] = known if len(known) > 1 else known[0]
        tools.append(tool)
        steps[job.rule] = release.entity(
            f"#step-{job.rule}", "HowToStep", name=job.rule, position=str(len(steps)), workExample=tool
        )  # fmt: skip
    release.workflow["hasPart"] = tools
    release.workflow["step"] = list(steps.values())
    return steps


def _add_job(release: Release, job: Job, agent: Mapping[str, Any]) -> Entity:
    name = release.places.name(job.log).removeprefix("results/logs/").removesuffix(".log")
    usage = [
        release.entity(
            f"#usage/{name}/{column}", "PropertyValue", name=meaning, value=job.usage[column], unitCode=unit,
            propertyID=f"{BENCHMARKS}#{column}",
        )
        for column, (meaning, unit) in USAGE.items()
        if job.usage.get(column, "") not in NOT_MEASURED
    ]  # fmt: skip
    more: dict[str, Any] = {"resourceUsage": usage} if usage else {}
    if job.timed:
        more |= {"startTime": iso(job.started), "endTime": iso(job.ended)}
    untimed = "" if job.timed else " Its time of day is not recorded."
    return release.entity(
        f"#job/{name}", "CreateAction", name=name, description=f"One job of rule {job.rule}.{untimed}",
        instrument=release.files[_script(job)], object=_data(release, job.inputs), result=_data(release, job.outputs),
        actionStatus=COMPLETED, **more, **agent,
    )  # fmt: skip


def _add_parameters(release: Release) -> list[Entity]:
    """The files that stood for the workflow's two formal inputs, config and models sheet."""
    given = []
    for name, what in ((CONFIG, "config"), (MODELS, "models sheet")):
        file = release.files[name]
        file["exampleOfWork"] = release.entity(
            f"#input-{what.split()[0]}", "FormalParameter", name=what, additionalType="File", workExample=file
        )  # fmt: skip
        release.workflow.append_to("input", file["exampleOfWork"])
        given.append(file)
    return given


def _describe(jobs: Sequence[Job], python: str) -> str:
    untimed = sum(not job.timed for job in jobs)
    said = f"{len(jobs)} jobs of {len({job.rule for job in jobs})} rules, Python {python}."
    if untimed:
        said += f" Of {untimed} jobs the time of day is not recorded; how long they took is."
    return said


def _data(release: Release, paths: Iterable[str]) -> list[Entity]:
    """Entities of data files, each once. Code is left out: it is told with the script that imports it."""
    found = [release.name_file(path) for path in paths if not path.endswith(".py")]
    return list({entity.id: entity for entity in found}.values())
