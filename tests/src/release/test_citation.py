"""What is read of CITATION.cff, and that all places name one version."""

import re
from pathlib import Path

import pytest
import yaml

from verbatim.io.software_version import software_version
from verbatim.release.citation import Author, CitationError, read_citation

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_citation_names_the_paper_that_is_reproduced():
    citation = read_citation(ROOT / "CITATION.cff")
    assert citation.licence == "MIT"
    paper = citation.references[0]
    assert paper.title == "A Reproducible Extraction of Training Images from Diffusion Models"
    assert paper.authors == (Author("Ryan Webster", True, ""),)
    assert paper.year == 2023


def test_citation_project_and_changelog_name_the_same_version():
    citation = read_citation(ROOT / "CITATION.cff")
    changelog = (ROOT / "workflow" / "docs" / "changelog.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", changelog, re.M)
    assert newest is not None
    assert citation.version == software_version(ROOT) == newest[1]
    assert citation.released == newest[2]


def test_the_changelog_keeps_to_the_headings_of_keep_a_changelog():
    text = (ROOT / "workflow" / "docs" / "changelog.md").read_text("utf-8")
    assert text.startswith("# Changelog\n")
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= known
    versions = re.findall(r"^## \[(.+?)\]", text, re.M)
    assert "Unreleased" not in versions[1:]  # what follows the newest version stands first
    versions = [one for one in versions if one != "Unreleased"]
    assert versions == sorted(set(versions), key=lambda one: [-int(n) for n in one.split(".")])


@pytest.mark.parametrize("key", ["title", "version", "license", "authors", "date-released"])
def test_a_missing_key_is_named(tmp_path, key):
    cff = yaml.safe_load(TEXT)
    del cff[key]
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(cff))
    with pytest.raises(CitationError, match=rf"CITATION\.cff.*'{key}'.*add it"):
        read_citation(tmp_path / "CITATION.cff")


@pytest.mark.parametrize("text", ["", "- a", "title: [", "title: x\nauthors: 3"])
def test_a_file_that_is_no_citation_is_refused_by_name(tmp_path, text):
    (tmp_path / "CITATION.cff").write_text(text)
    with pytest.raises(CitationError, match=r"CITATION\.cff"):
        read_citation(tmp_path / "CITATION.cff")


@pytest.mark.parametrize("text", [None, "", "[project]\nname = 'x'\n", "[project"])
def test_a_checkout_that_names_no_version_has_none(tmp_path, text):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert software_version(tmp_path) == ""
