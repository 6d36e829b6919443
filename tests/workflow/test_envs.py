"""The conda route and the pip route install the same versions."""

import re
from pathlib import Path

import pytest
import yaml

ENVS = Path(__file__).resolve().parents[2] / "envs"
FILES = sorted(ENVS.glob("*.yaml"))
# conda's name -> pip's, where they differ
TO_PIP = {"pytorch": "torch", "matplotlib-base": "matplotlib"}


def plain(name: str) -> str:
    """PEP 503's form of a name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> dict[str, str]:
    """Name -> version of everything in the lock, without the hashes."""
    text = (ENVS / "requirements.lock").read_text("utf-8")
    pins = re.findall(r"^([\w.-]+)==([^ ;\\\n]+)", text, flags=re.M)
    return {plain(name): version.partition("+")[0] for name, version in pins}


def pins(file: Path) -> list[tuple[str, str]]:
    """(pip's name, version) of every pinned dependency, conda's and the nested pip section's."""
    found = []
    for entry in yaml.safe_load(file.read_text("utf-8"))["dependencies"]:
        if isinstance(entry, dict):
            assert list(entry) == ["pip"]
            found += [tuple(pin.split("==")) for pin in entry["pip"]]
        elif entry != "pip":
            name, version = re.fullmatch(r"([a-z0-9_.-]+) =([0-9][\w.]*)", entry).groups()
            found.append((TO_PIP.get(name, name), version))
    return [(name, version) for name, version in found if name != "python"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_version_is_the_locks(file):
    locked = lock()
    for name, version in pins(file):
        assert locked.get(plain(name)) == version, f"{file.name}: {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_environment_has_the_form_that_snakemake_wants(file):
    env = yaml.safe_load(file.read_text("utf-8"))
    assert set(env) == {"channels", "dependencies"}  # no name, no prefix
    assert env["channels"] == ["conda-forge", "nodefaults"]
    names = [plain(name) for name, _ in pins(file)]
    assert len(names) == len(set(names))
    assert "python =3.12" in env["dependencies"]


def test_every_environment_has_what_the_shared_modules_import():
    for file in FILES:
        assert {"numpy", "pandas", "pyarrow", "pillow"} <= dict(pins(file)).keys(), file.name


def test_all_that_is_asked_for_is_locked_with_hashes():
    asked = re.findall(r"^([\w.-]+)", (ENVS / "requirements.in").read_text("utf-8"), flags=re.M)
    locked = lock()
    assert {plain(name) for name in asked} <= set(locked)
    text = (ENVS / "requirements.lock").read_text("utf-8")
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert len(blocks) == len(re.findall(r"^[\w.-]+==", text, flags=re.M))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in re.sub(r"#.*", "", text)  # no registry's host
