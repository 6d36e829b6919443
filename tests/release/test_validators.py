"""Others' programs accept what a release is made of: its description, the bill of materials and CITATION.cff.

They are no part of the lock: uv installs each into an environment of its own, for which the package registry is asked.
So this runs with VERBATIM_RELEASE alone (`make test-release`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import made_release
import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")
pytestmark = pytest.mark.skipif(
    not os.environ.get("VERBATIM_RELEASE"), reason="installs validators: make test-release"
)


def environment() -> dict[str, str]:
    """This process's, without what it has on its path; pip's further indexes as setup.sh hands them to uv."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.extra-index-url"], capture_output=True, text=True
    ).stdout.split()  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if asked and "UV_INDEX" not in kept:
        kept |= {"UV_INDEX": " ".join(asked), "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return kept


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return made_release.make_checkout(tmp_path_factory.mktemp("release") / "run")


@pytest.fixture
def crate(checkout, run_script, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(checkout)
    folder = tmp_path / "crate"
    run_script(
        "release/build_crate.py", made_release.inputs(), {"crate": folder},
        made_release.params(checkout, agent="Ada Lovelace"),
    )  # fmt: skip
    return folder


def validate(crate: Path, folder: Path) -> dict:
    """What the validator says of a crate, by the profile Provenance Run Crate."""
    told = folder / "told.json"
    done = subprocess.run(
        [
            UV, "run", "--quiet", "--no-project", "--isolated", "--with-requirements", HERE / "packages.txt", "--",
            "python", HERE / "validate.py", crate, folder / "cache",
            "--profile-identifier", "provenance-run-crate", "--output-format", "json", "--output-file", told,
        ],
        env=environment(), capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert told.is_file(), done.stdout + done.stderr
    return json.loads(told.read_text("utf-8"))


def test_the_description_keeps_to_the_profile_and_no_check_is_skipped(crate, tmp_path):
    said = validate(crate, tmp_path)
    assert said["issues"] == []
    assert said["passed"] is True
    counts = said["statistics"]
    assert counts["total_checks"] == counts["total_passed_checks"] > 50
    assert counts["total_skipped_checks"] == 0


def test_a_description_that_lacks_what_the_profile_asks_for_is_refused(crate, tmp_path):
    """The check above can fail."""
    metadata = crate / "ro-crate-metadata.json"
    said = json.loads(metadata.read_text("utf-8"))
    job = next(one for one in said["@graph"] if one["@id"] == "#job/tables/count_labels")
    del job["instrument"]
    metadata.write_text(json.dumps(said))
    answer = validate(crate, tmp_path)
    assert answer["passed"] is False
    assert any("instrument" in issue["message"] for issue in answer["issues"])


def test_the_citation_is_valid():
    done = subprocess.run(
        [UV, "tool", "run", "--quiet", "--from", "cffconvert==2.0.0", "cffconvert", "--validate", "--infile",
         ROOT / "CITATION.cff"],
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bill_of_materials_has_every_package_of_the_lock_and_is_the_same_each_time(tmp_path):
    for name in ("Makefile", "pyproject.toml", "envs"):
        target = tmp_path / name
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, target)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix).resolve())
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n")
    (tmp_path / "setup.sh").chmod(0o755)
    made = []
    for _ in range(2):
        done = subprocess.run(
            ["make", "sbom"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
            env={k: v for k, v in environment().items() if not k.startswith(("MAKE", "MFLAGS"))},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        made.append((tmp_path / "results" / "release" / "sbom.cdx.json").read_bytes())
    assert made[0] == made[1]
    bill = json.loads(made[0])
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "verbatim"
    lock = (ROOT / "envs" / "requirements.lock").read_text("utf-8")
    asked = {line.split(" ")[0] for line in lock.splitlines() if "==" in line and line[0].isalnum()}
    assert {f"{one['name']}=={one['version']}" for one in bill["components"]} == asked
