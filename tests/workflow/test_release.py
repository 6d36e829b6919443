"""A release describes the run that Snakemake recorded, holds what is handed on, and tells nothing that is hidden."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import made_release
import pytest
from rocrate.rocrate import ROCrate

from verbatim.release.release_contents import ContentsError
from verbatim.release.snakemake_records import RecordError, read_jobs

INDEX = "results/dedup/index.faiss"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return made_release.make_checkout(tmp_path_factory.mktemp("release") / "my run")


@pytest.fixture
def build(checkout, run_script, tmp_path, monkeypatch):
    """Build the release of the checkout, or of a copy of it; the folder of the crate."""

    def run(home: Path = checkout, input: dict | None = None, **changes) -> Path:
        monkeypatch.chdir(home)
        crate = tmp_path / "crate"
        run_script(
            "release/build_crate.py", made_release.inputs(**(input or {})), {"crate": crate},
            made_release.params(home, **changes),
        )  # fmt: skip
        return crate

    return run


@pytest.fixture
def copied(checkout, tmp_path) -> Path:
    """A copy of the checkout, to change."""
    return Path(shutil.copytree(checkout, tmp_path / "copy"))


def graph(crate: Path) -> dict[str, dict]:
    """The metadata's entities by their ids."""
    metadata = json.loads((crate / "ro-crate-metadata.json").read_text("utf-8"))
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def jobs(crate: ROCrate) -> dict[str, dict]:
    found = crate.get_by_type("CreateAction")
    return {one["name"]: one for one in found if one.id.startswith("#job/")}


def ids(value) -> list[str]:
    return [one.id for one in (value if isinstance(value, list) else [value])]


def test_the_reader_of_the_library_finds_workflow_licence_authors_and_profile(build):
    crate = ROCrate(build())
    workflow = crate.mainEntity
    assert workflow.id == "Snakefile"
    assert workflow["programmingLanguage"].id.endswith("#snakemake")
    assert workflow["license"]["identifier"] == "MIT"
    assert workflow["author"]["name"] == "the verbatim developers"
    assert crate.license["identifier"] == "CC-BY-SA-4.0"
    assert "https://w3id.org/ro/wfrun/provenance/0.5" in ids(crate.root_dataset["conformsTo"])


def test_each_job_is_an_action_with_its_script_inputs_outputs_and_benchmark(build):
    crate = ROCrate(build())
    found = jobs(crate)
    # what no target comes from is no part of the run: dedup/build_index
    assert set(found) == {"inputs/build_rows/00000", "tables/count_labels", "evidence/build_review"}
    count, rows = found["tables/count_labels"], found["inputs/build_rows/00000"]
    assert count["instrument"].id == "workflow/scripts/tables/count_labels.py"
    assert ids(count["object"]) == ids(rows["result"])
    assert "results/table1.csv" in ids(count["result"])
    assert ids(rows["object"]) == ["config/my%20rows.txt"]
    assert rows["instrument"]["softwareRequirements"].id == "workflow/src/verbatim/inputs/rows.py"
    usage = {one["name"]: float(one["value"]) for one in count["resourceUsage"]}
    assert usage["wall time"] >= 0.3
    assert set(ids(found["evidence/build_review"]["result"])) == {
        "results/evidence/review/index.html", "results/evidence/review/images/",
    }  # fmt: skip


def test_the_run_spans_its_jobs_and_names_what_it_began_and_ended_with(build):
    crate = ROCrate(build())
    run, found = crate.get("#run"), jobs(crate).values()
    assert run["instrument"].id == "Snakefile"
    assert run["startTime"] == min(one["startTime"] for one in found)
    assert run["endTime"] == max(one["endTime"] for one in found)
    assert {"run/config.yaml", "run/models.tsv", "config/my%20rows.txt"} == set(ids(run["object"]))
    assert "results/table1.csv" in ids(run["result"])
    assert crate.mainEntity["step"][0]["name"] == "build_rows"
    assert set(ids(crate.get("#engine")["object"])) == {f"{one.id}-control" for one in found}


def test_times_of_a_touched_run_are_left_out_and_said_to_be_unknown(build, copied):
    for log in (copied / "results" / "logs").rglob("*.log"):  # the run was a minute ago
        os.utime(log, (log.stat().st_atime, log.stat().st_mtime - 60))
    made_release.snakemake(copied, "all", options=("--touch", "--forceall"))
    crate = ROCrate(build(copied))
    run, found = crate.get("#run"), jobs(crate).values()
    for action in (run, *found):
        assert action.get("startTime") is None
        assert action.get("endTime") is None
    assert "Of 3 jobs the time of day is not recorded" in run["description"]
    assert all(one.get("resourceUsage") for one in found)


def test_every_file_of_the_crate_has_the_digest_and_size_that_the_metadata_tell(build):
    crate = build()
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=crate, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    sums = dict(line.split("  ")[::-1] for line in (crate / "SHA256SUMS").read_text().splitlines())
    told = {
        e["name"]: e
        for e in graph(crate).values()
        if "sha256" in e and not e["@id"].startswith("arcp")
    }
    assert {"results/table1.csv", "results/evidence/review/index.html", "run/config.yaml"} <= set(
        told
    )
    for name, entity in told.items():
        file = "Snakefile" if entity["@id"] == "Snakefile" else name
        assert entity["sha256"] == sums[file], name
        assert entity["contentSize"] == str((crate / file).stat().st_size)
    assert (crate / "results/evidence/review/images/1.png").is_file()
    assert set(sums) - {"ro-crate-metadata.json", "results/evidence/review/images/1.png"} == set(told) - {
        told_as for told_as in told if told[told_as]["@id"] == "Snakefile"
    } | {"Snakefile"}  # fmt: skip


def test_tables_of_the_run_itself_stay_behind_and_are_named_with_their_digests(build):
    crate = build()
    behind = {e["name"]: e for e in graph(crate).values() if e["@id"].startswith("arcp://uuid,")}
    assert set(behind) == {"results/inputs/rows/00000.parquet", "results/tables/kept.parquet"}
    assert all(len(entity["sha256"]) == 64 for entity in behind.values())
    assert not list(crate.rglob("*.parquet"))


def test_nothing_of_the_machine_is_in_the_metadata(build, checkout):
    crate = build()
    for name in ("ro-crate-metadata.json", "SHA256SUMS", "run/software.tsv"):
        assert str(checkout.parent) not in (crate / name).read_text("utf-8"), name


@pytest.mark.parametrize("level", ["blurred", "none"])
def test_hidden_images_leave_no_digest_or_size_of_what_stays_behind(build, level):
    for entity in graph(build(images=level)).values():
        if entity["@id"].startswith("arcp"):
            assert not {"sha256", "contentSize"} & set(entity)
        elif entity["@id"] == "results/table1.csv":
            assert "sha256" in entity


def test_large_files_that_stay_behind_are_named_without_a_digest(build):
    behind = [e for e in graph(build(digest_mb=0)).values() if e["@id"].startswith("arcp")]
    assert behind
    assert all("contentSize" in one and "sha256" not in one for one in behind)


def test_report_and_bill_of_materials_are_taken_in_where_they_are(build, checkout, tmp_path):
    (tmp_path / "report.html").write_text("report")
    (tmp_path / "sbom.cdx.json").write_text("{}")
    beside = {"report": [tmp_path / "report.html"], "sbom": [tmp_path / "sbom.cdx.json"]}
    crate = build(input=beside)
    assert (crate / "report.html").read_text() == "report"
    assert "sbom.cdx.json" in ids(ROCrate(crate).mainEntity["softwareRequirements"])


def test_files_that_git_does_not_track_are_no_part_of_the_release(build, copied):
    (copied / "config" / "private.txt").write_text("mine")
    for words in (
        ["init", "-q"],
        ["add", "Snakefile", "workflow", "CITATION.cff", "envs", "README.md"],
    ):
        subprocess.run(["git", *words], cwd=copied, check=True)
    crate = build(copied)
    assert not (crate / "config" / "private.txt").exists()
    # it was read by a job, and lies in no release: named alone
    assert any(
        one.endswith("/config/my%20rows.txt") for one in graph(crate) if one.startswith("arcp")
    )


def test_without_git_the_known_parts_of_a_checkout_are_taken_and_nothing_hidden(build, copied):
    (copied / "config" / ".secret").write_text("mine")
    (copied / "notes.txt").write_text("mine")
    crate = build(copied)
    assert (crate / "config" / "models.tsv").is_file()
    assert not (crate / "config" / ".secret").exists()
    assert not (crate / "notes.txt").exists()


def test_who_ran_it_is_told_only_when_it_is_named_and_no_licence_is_made_up(build):
    crate = ROCrate(build(agent="Ada Lovelace", licence=""))
    assert crate.get("#run")["agent"]["name"] == "Ada Lovelace"
    assert crate.license["name"] == "No licence"
    assert ROCrate(build()).get("#run").get("agent") is None


def test_the_packages_that_ran_stand_beside_those_of_the_lock(build):
    rows = (build() / "run" / "software.tsv").read_text().splitlines()
    assert "no-such-package\t1.0\t" in rows
    assert any(row.startswith("snakemake\t\t") for row in rows)  # not in the lock of this checkout


def test_a_result_without_a_record_is_named_with_the_cure(build, copied):
    shutil.rmtree(copied / ".snakemake" / "metadata")
    with pytest.raises(RecordError, match="metadata: no such folder"):
        build(copied)
    (copied / ".snakemake" / "metadata").mkdir()
    with pytest.raises(RecordError, match=r"table1\.csv: Snakemake has no record.*make all"):
        build(copied)


def test_a_record_that_cannot_be_read_is_named_with_its_output_and_the_cure(copied, monkeypatch):
    monkeypatch.chdir(copied)
    records = Path(".snakemake/metadata")
    broken = next(path for path in records.rglob("*") if '"count_labels"' in path.read_text())
    broken.write_text('{"rule": "count_labels"}')
    with pytest.raises(
        RecordError, match=r"the record of results/t.* cannot be read.*delete results/t"
    ):
        read_jobs(records)


def test_a_folder_that_is_no_checkout_is_refused(build, copied):
    (copied / "CITATION.cff").unlink()
    with pytest.raises(ValueError, match=r"CITATION\.cff"):
        build(copied)
    shutil.copyfile(made_release.ROOT / "CITATION.cff", copied / "CITATION.cff")
    (copied / "Snakefile").unlink()
    with pytest.raises((ContentsError, FileNotFoundError), match="Snakefile"):
        build(copied)
