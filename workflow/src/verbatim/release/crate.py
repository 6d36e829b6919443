"""The crate of a release: its files, its main entity and what it says of itself (Workflow RO-Crate 1.0 on RO-Crate 1.1).

Files that are handed on lie in the crate. Other inputs and outputs of the run are named by `arcp` URIs, with digest and size.
"""

from __future__ import annotations

import hashlib
import inspect
import mimetypes
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from verbatim.release.citation import Author, Citation
from verbatim.release.release_contents import Disclosure, Places

VERSION, PROFILES = "0.5", ("process", "workflow", "provenance")
TERMS = "https://w3id.org/ro/terms/workflow-run"
SCRIPTS = "workflow/scripts/"
LOCK, SOFTWARE, SBOM = "envs/requirements.lock", "run/software.tsv", "sbom.cdx.json"
TYPES = {
    ".py": "text/x-python", ".smk": "text/x-python", ".parquet": "application/vnd.apache.parquet", ".md": "text/markdown",
    ".yaml": "application/yaml", ".tsv": "text/tab-separated-values", ".csv": "text/csv", ".cff": "application/yaml",
    ".safetensors": "application/octet-stream", ".rst": "text/x-rst", ".lock": "text/plain", ".toml": "application/toml",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a release says of itself.

    identity : text that is of this run alone, e.g. the digests of its results. citation : of the software.
    commit : of git, "" without. changed : whether code differs from the commit. snakemake, python : versions.
    licence : SPDX id of the results' licence; "" where none is given. agent : who ran the workflow; "" where nobody is named.
    privacy : how much of images is shown.
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


def _new_crate() -> ROCrate:
    """An empty crate of RO-Crate 1.1, which the version of rocrate on conda-forge writes without being asked."""
    if "version" in inspect.signature(ROCrate.__init__).parameters:
        return ROCrate(version="1.1")
    return ROCrate()


@dataclass
class Release:
    """A crate that is put together: first the workflow and the files, then `provenance.add_run`, then `describe`.

    places : names of files in it. disclosure : what is told of files that stay behind. told : what it says of itself.
    files : the entity of each file or folder by its name. workflow : the main entity.
    """

    places: Places
    disclosure: Disclosure
    told: Told
    crate: ROCrate = field(default_factory=_new_crate)
    files: dict[str, Entity] = field(default_factory=dict)
    workflow: ComputationalWorkflow = field(init=False)

    def __post_init__(self) -> None:
        self.base = f"arcp://uuid,{uuid.uuid5(uuid.NAMESPACE_URL, self.told.identity)}/"
        self.crate.metadata.extra_contexts.append(f"{TERMS}/context")
        self.crate.metadata.extra_terms["resourceUsage"] = f"{TERMS}#resourceUsage"
        self.workflow = self._add_workflow()

    def add_file(self, path: Path, name: str = "") -> None:
        """Put a file into the crate, by default under the name that `places` gives it."""
        name = name or self.places.name(path)
        said = self.disclosure.properties(path, handed_on=True)
        self.files[name] = self.crate.add_file(path, name, properties={**self._kind(name), **said})

    def add_text(self, name: str, text: str) -> None:
        """Put a text into the crate, as a file of this name."""
        data = text.encode("utf-8")
        said = {"contentSize": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
        self.files[name] = self.crate.add_file(
            BytesIO(data), name, properties={**self._kind(name), **said}
        )

    def add_output(self, path: Path) -> None:
        """Put a result into the crate, a file or a folder."""
        name = self.places.name(path)
        if path.is_dir():
            self.files[name] = self.crate.add_dataset(path, name, properties={"name": name})
        else:
            self.add_file(path)

    def name_file(self, path: str) -> Entity:
        """The entity of a file or folder of the run, or of the folder that it is in; named if it is not in the crate."""
        name = self.places.name(path)
        for place in (name, *map(str, Path(name).parents)):
            if place in self.files:
                return self.files[place]
        uri, whole = self.base + quote(name), Path(path)
        properties = {**self._kind(name), **self.disclosure.properties(whole)}
        if whole.is_dir():
            self.files[name] = self.crate.add_dataset(f"{uri}/", properties={"name": name})
        else:
            self.files[name] = self.crate.add_file(uri, properties=properties)
        return self.files[name]

    def entity(self, key: str, kind: str, **properties: Any) -> Entity:
        """A contextual entity; the one that is there, if it was added before."""
        known = self.crate.get(key)
        if known is not None:
            return known
        entity = self.crate.add(ContextEntity(self.crate, key, properties={"@type": kind}))
        for word, value in properties.items():
            entity[word] = _single(value)
        return entity

    def author(self, author: Author) -> Entity:
        """The entity of a person or a group."""
        more = {"url": author.identifier} if author.identifier else {}
        key = author.identifier or "#" + "-".join(author.name.lower().split())
        return self.entity(
            key, "Person" if author.person else "Organization", name=author.name, **more
        )

    def describe(self) -> None:
        """Say what the crate is, under which licence and profiles."""
        said, root = self.told, self.crate.root_dataset
        root["name"] = f"A run of {said.citation.title}"
        root["description"] = (
            f"Workflow, configuration, jobs and results of one run of verbatim {said.citation.version}. Images are shown "
            f"as privacy.images: {said.privacy} says. Files that are named and not in this folder are intermediate "
            "results and inputs. workflow/docs/release.md says how to check and to repeat the run."
        )
        root["version"] = said.citation.version
        root["license"] = self._licence(said.licence)
        root["author"] = self.workflow["author"]
        profiles = [
            self.entity(
                f"https://w3id.org/ro/wfrun/{name}/{VERSION}", "CreativeWork", name=f"{name.title()} Run Crate",
                version=VERSION,
            )
            for name in PROFILES
        ]  # fmt: skip
        base = self.entity(
            "https://w3id.org/workflowhub/workflow-ro-crate/1.0", "CreativeWork", name="Workflow RO-Crate",
            version="1.0",
        )  # fmt: skip
        root["conformsTo"] = [*profiles, base]
        if "README.md" in self.files:
            self.files["README.md"]["about"] = root
        wanted = [self.files[one] for one in (LOCK, SOFTWARE, SBOM) if one in self.files]
        self.workflow["softwareRequirements"] = _single(wanted)

    def _add_workflow(self) -> ComputationalWorkflow:
        """Put the Snakefile in as the main entity."""
        said, file = self.told, self.places.home / "Snakefile"
        workflow = self.crate.add_workflow(
            file, "Snakefile", main=True, lang="snakemake", lang_version=said.snakemake,
            properties={
                **self._kind("Snakefile"), **self.disclosure.properties(file, handed_on=True),
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": said.citation.title, "description": said.citation.abstract, "version": said.citation.version,
            },
        )  # fmt: skip
        workflow["license"] = self._licence(said.citation.licence)
        workflow["author"] = self._authors(said.citation.authors)
        workflow["citation"] = [
            self.entity(
                one.url, "ScholarlyArticle", name=one.title, datePublished=str(one.year), url=one.url,
                author=self._authors(one.authors),
            )
            for one in said.citation.references
        ]  # fmt: skip
        if said.commit:
            changed = ", with changes" if said.changed else ""
            workflow["identifier"] = f"git commit {said.commit}{changed}"
        self.files["Snakefile"] = workflow
        return workflow

    def _authors(self, authors: Iterable[Author]) -> Any:
        return _single([self.author(one) for one in authors])

    def _licence(self, spdx: str) -> Entity:
        if not spdx:
            return self.entity(
                "#no-licence", "CreativeWork", name="No licence",
                description="No licence is given: ask before you copy or publish. Images may belong to other people.",
            )  # fmt: skip
        return self.entity(
            f"https://spdx.org/licenses/{spdx}", "CreativeWork", name=spdx, identifier=spdx,
            description=f"The licence {spdx} of the SPDX list.",
        )  # fmt: skip

    def _kind(self, name: str) -> dict[str, Any]:
        """Name and format of a file; scripts, which are the tools of the run, have a version too."""
        guessed = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
        said: dict[str, Any] = {"name": name, "encodingFormat": guessed}
        if name.startswith(SCRIPTS):
            said |= {"@type": ["File", "SoftwareSourceCode"], "version": self.told.citation.version}
        return said


def _single(value: Any) -> Any:
    """A list of one as its element, as RO-Crate 1.1 wants it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
