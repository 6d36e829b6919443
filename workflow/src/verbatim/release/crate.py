"""A finished run as a Workflow Run RO-Crate (Provenance Run Crate 0.5 on RO-Crate 1.1).

The workflow is the main entity, with a step for each rule; each job is a CreateAction whose instrument is the rule's script.
Files that are handed on lie in the crate. Other inputs and outputs are named by `arcp` URIs, with digest and size.
"""

from __future__ import annotations

import datetime
import hashlib
import mimetypes
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from verbatim.release.citation import Citation
from verbatim.release.contents import Disclosure, Places
from verbatim.release.snakemake_records import Job

VERSION, PROFILES = "0.5", ("process", "workflow", "provenance")
TERMS = "https://w3id.org/ro/terms/workflow-run"
COMPLETED = {"@id": "http://schema.org/CompletedActionStatus"}
SNAKEMAKE = "https://snakemake.github.io"
CONFIG, MODELS = "run/config.yaml", "run/models.tsv"
# columns of a benchmark -> (meaning, unit's code of UN/CEFACT)
USAGE = {
    "s": ("wall time", "SEC"),
    "cpu_time": ("processor time", "SEC"),
    "max_rss": ("largest resident memory", "4L"),
    "io_in": ("read", "4L"),
    "io_out": ("written", "4L"),
}
TYPES = {
    ".py": "text/x-python", ".smk": "text/x-python", ".parquet": "application/vnd.apache.parquet", ".md": "text/markdown",
    ".yaml": "application/yaml", ".tsv": "text/tab-separated-values", ".csv": "text/csv", ".cff": "application/yaml",
    ".safetensors": "application/octet-stream", ".rst": "text/x-rst", ".lock": "text/plain", ".toml": "application/toml",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a release says of itself.

    identity : text that is of this run alone, e.g. the digests of its results. citation : of the software. commit : of git, "" without. changed : whether code differs from the commit.
    snakemake, python : versions. licence : SPDX id of the results' licence; "" where none is given. agent : who ran
    the workflow; "" where nobody is named. privacy : how much of images is shown.
    """

    identity: str
    citation: Citation
    commit: str
    changed: bool
    snakemake: str
    python: str
    licence: str
    agent: str
    privacy: str


@dataclass
class Release:
    """A crate that is put together: first the files, then `add_run`, then `write`.

    places : names of files in it. disclosure : what is told of files that stay behind. told : what it says of itself.
    """

    places: Places
    disclosure: Disclosure
    told: Told
    crate: ROCrate = field(default_factory=lambda: ROCrate(version="1.1"))
    files: dict[str, Entity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = f"arcp://uuid,{uuid.uuid5(uuid.NAMESPACE_URL, self.told.identity)}/"
        self.crate.metadata.extra_contexts.append(f"{TERMS}/context")
        self.crate.metadata.extra_terms["resourceUsage"] = f"{TERMS}#resourceUsage"

    def add_file(self, path: Path, name: str = "", **properties: Any) -> Entity:
        """Put a file into the crate, by default under the name that `places` gives it."""
        name = name or self.places.name(path)
        said = self.disclosure.properties(path, handed_on=True)
        self.files[name] = self.crate.add_file(
            path, name, properties={**_kind(name), **said, **properties}
        )
        return self.files[name]

    def add_text(self, name: str, text: str) -> None:
        """Put a text into the crate, as a file of this name."""
        data = text.encode("utf-8")
        said = {"contentSize": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
        self.files[name] = self.crate.add_file(
            BytesIO(data), name, properties={**_kind(name), **said}
        )

    def add_output(self, path: Path) -> None:
        """Put a result into the crate, a file or a folder."""
        name = self.places.name(path)
        if path.is_dir():
            self.files[name] = self.crate.add_dataset(path, name, properties={"name": name})
        else:
            self.add_file(path)

    def add_workflow(self) -> ComputationalWorkflow:
        """Put the Snakefile in as the main entity."""
        said = self.told
        workflow = self.crate.add_workflow(
            self.places.home / "Snakefile", "Snakefile", main=True, lang="snakemake", lang_version=said.snakemake,
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": said.citation.title, "description": said.citation.abstract, "version": said.citation.version,
                **self.disclosure.properties(self.places.home / "Snakefile", handed_on=True),
                **_kind("Snakefile"),
            },
        )  # fmt: skip
        workflow["license"] = self._licence(said.citation.licence)
        workflow["author"] = [
            self._author(one.name, one.person, one.identifier) for one in said.citation.authors
        ]
        workflow["citation"] = [
            self._entity(
                one.url, "ScholarlyArticle", name=one.title, datePublished=str(one.year), url=one.url,
                author=[self._author(who.name, who.person, who.identifier) for who in one.authors],
            )
            for one in said.citation.references
        ]  # fmt: skip
        if said.commit:
            changed = ", with changes" if said.changed else ""
            workflow["identifier"] = f"git commit {said.commit}{changed}"
        self.files["Snakefile"] = workflow
        return workflow

    def name_file(self, path: str) -> Entity:
        """The entity of a file or folder of the run, in the crate or not."""
        name = self.places.name(path)
        holder = next((f for f in _self_and_parents(name) if f in self.files), None)
        if holder is not None:
            return self.files[holder]
        uri, whole = self.base + quote(name), Path(path)
        properties = {"name": name, **self.disclosure.properties(whole)}
        if whole.is_dir():
            self.files[name] = self.crate.add_dataset(f"{uri}/", properties=properties)
        else:
            self.files[name] = self.crate.add_file(uri, properties={**properties, **_kind(name)})
        return self.files[name]

    def add_run(self, workflow: ComputationalWorkflow, jobs: Sequence[Job]) -> None:
        """Describe the run: its jobs in order, the step of each rule, and the run as a whole."""
        agent = {"agent": self._author(self.told.agent, True, "")} if self.told.agent else {}
        tools, steps = self._add_steps(workflow, jobs)
        actions, controls = [], []
        for job in jobs:
            action = self._add_job(job, tools[job.rule], agent)
            control = self._entity(
                f"{action.id}-control", "ControlAction", name=f"Snakemake runs {job.rule}",
                instrument=steps[job.rule], object=action,
            )  # fmt: skip
            actions.append(action)
            controls.append(control)
        made = {output for job in jobs for output in job.outputs}
        used = {path for job in jobs for path in job.inputs}
        timed = [job for job in jobs if job.timed]
        times = {}
        if timed:
            times = {
                "startTime": iso(min(job.started for job in timed)),
                "endTime": iso(max(job.ended for job in timed)),
            }
        parameters = self._add_parameters(workflow)
        run = self._entity(
            "#run", "CreateAction", name=f"Run of {self.told.citation.title}",
            description=self._describe_run(jobs), instrument=workflow, actionStatus=COMPLETED,
            object=[*parameters, *self._data(path for path in sorted(used - made))],
            result=self._data(sorted(made - used)), **times, **agent,
        )  # fmt: skip
        engine = self._entity(
            f"{SNAKEMAKE}#{self.told.snakemake}", "SoftwareApplication", name="Snakemake", url=SNAKEMAKE,
            softwareVersion=self.told.snakemake,
        )  # fmt: skip
        self._entity(
            "#engine", "OrganizeAction", name="Snakemake runs the workflow", instrument=engine, object=controls,
            result=run, actionStatus=COMPLETED, **times, **agent,
        )  # fmt: skip
        self.crate.root_dataset["mentions"] = [run, *actions]

    def describe(self) -> None:
        """Say what the crate is, under which licence and profiles."""
        said, root = self.told, self.crate.root_dataset
        root["name"] = f"A run of {said.citation.title}"
        root["description"] = (
            f"Workflow, configuration, jobs and results of one run of verbatim {said.citation.version}. Images are shown "
            f"as privacy.images: {said.privacy} says. Files that are named and not in this folder are intermediate "
            "results and inputs; workflow/docs/release.md says how to check and to repeat the run."
        )
        root["version"] = said.citation.version
        root["license"] = self._licence(said.licence)
        root["author"] = self.crate.mainEntity["author"]
        profiles = [
            self._entity(
                f"https://w3id.org/ro/wfrun/{name}/{VERSION}", "CreativeWork", name=f"{name.title()} Run Crate",
                version=VERSION,
            )
            for name in PROFILES
        ]  # fmt: skip
        base = self._entity(
            "https://w3id.org/workflowhub/workflow-ro-crate/1.0", "CreativeWork", name="Workflow RO-Crate",
            version="1.0",
        )  # fmt: skip
        root["conformsTo"] = [*profiles, base]

    def _add_steps(
        self, workflow: ComputationalWorkflow, jobs: Sequence[Job]
    ) -> tuple[dict[str, Entity], dict[str, Entity]]:
        """Script and step of each rule that ran, by its name; steps are in the order of their first jobs."""
        tools: dict[str, Entity] = {}
        steps: dict[str, Entity] = {}
        for job in jobs:
            if job.rule in tools:
                continue
            name = f"workflow/scripts/{_stage(job)}/{job.rule}.py"
            tool = self.files[name]
            tool["@type"] = ["File", "SoftwareSourceCode"]
            tool["version"] = self.told.citation.version
            code = [one for one in map(self.places.name, job.inputs) if one.endswith(".py")]
            tool["softwareRequirements"] = [self.files[one] for one in code if one in self.files]
            tools[job.rule] = tool
            steps[job.rule] = self._entity(
                f"#step-{job.rule}",
                "HowToStep",
                name=job.rule,
                position=str(len(steps)),
                workExample=tool,
            )
        workflow["hasPart"] = list(tools.values())
        workflow["step"] = list(steps.values())
        workflow["softwareRequirements"] = [
            self.files[one] for one in ("envs/requirements.lock", "run/software.tsv", "sbom.cdx.json") if one in self.files
        ]  # fmt: skip
        return tools, steps

    def _add_job(self, job: Job, tool: Entity, agent: Mapping[str, Any]) -> Entity:
        times = {"startTime": iso(job.started), "endTime": iso(job.ended)} if job.timed else {}
        name = self.places.name(job.log).removeprefix("results/logs/").removesuffix(".log")
        usage = [
            self._entity(
                f"#usage/{name}/{column}", "PropertyValue", name=meaning, unitCode=unit, value=job.usage[column],
                propertyID=f"https://snakemake.readthedocs.io/en/stable/tutorial/additional_features.html#{column}",
            )
            for column, (meaning, unit) in USAGE.items()
            if job.usage.get(column, "-") not in ("-", "NA", "")
        ]  # fmt: skip
        untimed = "" if job.timed else " Its time of day is not recorded."
        more: dict[str, Any] = {"resourceUsage": usage} if usage else {}
        return self._entity(
            f"#job/{name}", "CreateAction", name=name, description=f"One job of rule {job.rule}.{untimed}",
            instrument=tool, object=self._data(job.inputs), result=self._data(job.outputs),
            actionStatus=COMPLETED, **more, **times, **agent,
        )  # fmt: skip

    def _add_parameters(self, workflow: ComputationalWorkflow) -> list[Entity]:
        """The workflow's two formal inputs, config and models sheet, and the files that stood for them."""
        given = []
        for name, what in ((CONFIG, "config"), (MODELS, "models sheet")):
            file = self.files[name]
            parameter = self._entity(
                f"#input-{what.split()[0]}",
                "FormalParameter",
                name=what,
                additionalType="File",
                workExample=file,
            )
            file["exampleOfWork"] = parameter
            workflow.append_to("input", parameter)
            given.append(file)
        return given

    def _describe_run(self, jobs: Sequence[Job]) -> str:
        untimed = sum(not job.timed for job in jobs)
        said = f"{len(jobs)} jobs of {len({job.rule for job in jobs})} rules, Python {self.told.python}."
        if untimed:
            said += f" Of {untimed} jobs the time of day is not recorded; how long they took is."
        return said

    def _data(self, paths: Iterable[str]) -> list[Entity]:
        """Entities of data files, each once; code is told with the script that imports it."""
        named = {path: self.places.name(path) for path in paths}
        found = {
            entity.id: entity
            for path, name in named.items()
            if not name.endswith(".py")
            for entity in [self.name_file(path)]
        }
        return list(found.values())

    def _licence(self, spdx: str) -> Entity:
        if not spdx:
            return self._entity(
                "#no-licence", "CreativeWork", name="No licence",
                description="No licence is given: ask before you copy or publish. Images may belong to other people.",
            )  # fmt: skip
        return self._entity(
            f"https://spdx.org/licenses/{spdx}", "CreativeWork", name=spdx, identifier=spdx,
            description=f"The licence {spdx} of the SPDX list.",
        )  # fmt: skip

    def _author(self, name: str, person: bool, identifier: str) -> Entity:
        more = {"url": identifier} if identifier else {}
        key = identifier or "#" + "-".join(name.lower().split())
        return self._entity(key, "Person" if person else "Organization", name=name, **more)

    def _entity(self, key: str, kind: str, **properties: Any) -> Entity:
        """A contextual entity; the one that is there, if it was added before."""
        known = self.crate.get(key)
        if known is not None:
            return known
        entity = self.crate.add(ContextEntity(self.crate, key, properties={"@type": kind}))
        for word, value in properties.items():
            entity[word] = value
        return entity


def iso(seconds: float) -> str:
    """A time in seconds since 1970 as ISO 8601, UTC, to the second."""
    return datetime.datetime.fromtimestamp(round(seconds), datetime.UTC).isoformat()


def _self_and_parents(name: str) -> list[str]:
    return [name, *(str(one) for one in Path(name).parents)]


def _stage(job: Job) -> str:
    """Stage of a job: the folder of its log."""
    return job.log.partition("/logs/")[2].partition("/")[0]


def _kind(name: str) -> dict[str, str]:
    suffix = Path(name).suffix
    known = TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    return {"name": name, "encodingFormat": known}
