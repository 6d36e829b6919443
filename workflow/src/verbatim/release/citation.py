"""Who wrote the software, under which licence, and what it builds on: read from CITATION.cff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class CitationError(ValueError):
    """CITATION.cff lacks something; the message names the key and the cure."""


@dataclass(frozen=True)
class Author:
    """name : as it is cited. person : False for a group. identifier : an ORCID or a website, "" where none is given."""

    name: str
    person: bool
    identifier: str


@dataclass(frozen=True)
class Reference:
    """A work that the software implements. kind : of CFF, e.g. article. url : where it is found."""

    title: str
    authors: tuple[Author, ...]
    year: int
    url: str


@dataclass(frozen=True)
class Citation:
    """What CITATION.cff says. licence : an SPDX id. released : date, YYYY-MM-DD."""

    title: str
    abstract: str
    version: str
    licence: str
    released: str
    authors: tuple[Author, ...]
    references: tuple[Reference, ...]


def _author(entry: Mapping[str, Any]) -> Author:
    if "name" in entry:
        return Author(str(entry["name"]), False, str(entry.get("website", "")))
    names = [str(entry[key]) for key in ("given-names", "family-names") if key in entry]
    return Author(" ".join(names), True, str(entry.get("orcid", "")))


def read_citation(path: Path) -> Citation:
    """Read a CITATION.cff of version 1.2.

    Raises
    ------
    CitationError
        A key that is needed is missing, or the file is no YAML.
    """
    try:
        cff = yaml.safe_load(path.read_text("utf-8"))
        references = tuple(
            Reference(
                str(one["title"]), tuple(map(_author, one["authors"])), int(one["year"]), str(one["url"])
            )
            for one in cff.get("references", [])
        )  # fmt: skip
        return Citation(
            str(cff["title"]), str(cff["abstract"]).strip(), str(cff["version"]), str(cff["license"]),
            str(cff["date-released"]), tuple(map(_author, cff["authors"])), references,
        )  # fmt: skip
    except KeyError as err:
        raise CitationError(f"{path}: the key {err} is missing; add it") from err
    except (OSError, yaml.YAMLError, TypeError, ValueError, AttributeError) as err:
        raise CitationError(f"{path}: cannot be read as a CITATION.cff: {err}") from err
