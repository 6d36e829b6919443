"""The conda route and the pip route install the same versions, and each rule's environment what it imports.

Where conda-forge is known to be behind PyPI, envs/conda_forge.tsv has both versions.
"""

import csv
import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from verbatim.config.code import imported_packages as imported

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
FILES = sorted(ENVS.glob("*.yaml"))
# conda's name -> pip's, where they differ
TO_PIP = {"pytorch": "torch", "matplotlib-base": "matplotlib", "python-duckdb": "duckdb"}


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


def behind() -> dict[str, dict[str, str]]:
    """pip's name -> its row of envs/conda_forge.tsv: what the lock has, and what conda-forge is known to have."""
    with open(ENVS / "conda_forge.tsv", newline="") as file:
        return {plain(row["pip"]): row for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_version_is_the_locks_or_what_the_table_says_conda_forge_has(file):
    locked, older = lock(), behind()
    for name, version in pins(file):
        row = older.get(plain(name))
        wanted = row["conda_forge"] if row else locked.get(plain(name))
        assert wanted == version, f"{file.name}: {name}"


def test_the_table_of_older_versions_is_up_to_date():
    locked = lock()
    pinned = {plain(name) for file in FILES for name, _ in pins(file)}
    for name, row in behind().items():
        assert row["lock"] == locked[name], f"conda_forge.tsv: {name} has moved in the lock"
        lock_version, conda = (
            [int(n) for n in row[key].split(".")] for key in ("lock", "conda_forge")
        )
        assert conda < lock_version, f"conda_forge.tsv: {name} is not behind: take its row away"
        assert TO_PIP.get(row["conda"], row["conda"]) == row["pip"]
        assert name in pinned, f"conda_forge.tsv: no environment has {name}"
        assert row["why"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_environment_has_the_form_that_snakemake_wants(file):
    env = yaml.safe_load(file.read_text("utf-8"))
    assert set(env) == {"channels", "dependencies"}  # no name, no prefix
    assert env["channels"] == ["conda-forge", "nodefaults"]
    names = [plain(name) for name, _ in pins(file)]
    assert len(names) == len(set(names))
    assert "python =3.12" in env["dependencies"]


def test_an_environment_with_a_pip_section_has_no_pin_file():
    """Where there is one Snakemake installs it alone, and leaves the pip section out without a word."""
    for file in FILES:
        nested = any(
            isinstance(one, dict) for one in yaml.safe_load(file.read_text())["dependencies"]
        )
        if nested:
            assert not list(ENVS.glob(f"{file.stem}.*.pin.txt")), file.name


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


# what is imported -> pip's name, where they differ
PACKAGES = {
    "PIL": "pillow", "faiss": "faiss-cpu", "sklearn": "scikit-learn", "yaml": "pyyaml",
    "open_clip": "open-clip-torch", "google": "protobuf",
}  # fmt: skip
# what a pinned package brings, so that the environments name only what is asked for
BROUGHT = {
    "matplotlib": "seaborn", "huggingface_hub": "diffusers", "timm": "open_clip_torch", "markupsafe": "jinja2",
}  # fmt: skip
# what a script starts beside itself
STARTED = {"check_results": ("tests/results/test_results.py", "pytest")}


def rules() -> dict[str, tuple[str, str]]:
    """Rule -> (its script, its environment), of every rule that has a script."""
    found = {}
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        parts = re.split(r"^(?:rule|checkpoint) (\w+):\n", file.read_text("utf-8"), flags=re.M)
        for rule, text in zip(parts[1::2], parts[2::2], strict=True):
            script = re.search(r'"\.\./(scripts/\S+\.py)"', text)
            env = re.search(r'conda:\s+"\.\./\.\./envs/(\S+\.yaml)"', text)
            assert script, rule
            assert env, f"{rule} has no conda environment"
            found[rule] = (script[1], env[1])
    return found


RULES = rules()


@pytest.mark.parametrize("rule", RULES)
def test_a_rules_environment_has_what_its_script_imports(rule):
    """Followed through the library's modules, and into functions only where they are reached."""
    script, env = RULES[rule]
    needed = imported(ROOT / "workflow" / script)
    for extra in STARTED.get(rule, ()):
        needed |= imported(ROOT / extra) if extra.endswith(".py") else {extra}
    has = {plain(name) for name, _ in pins(ENVS / env)}
    lacks = {
        name for name in needed if plain(PACKAGES.get(name, BROUGHT.get(name, name))) not in has
    }
    assert lacks == set(), f"{rule}: envs/{env} lacks {sorted(lacks)}"


def test_what_a_pinned_package_is_said_to_bring_it_does_ask_for():
    for name, package in BROUGHT.items():
        asked = [re.split(r"[ ;<>=!~\[(]", one)[0] for one in metadata.requires(package) or ()]
        assert plain(name) in {plain(one) for one in asked}, f"{package} does not bring {name}"
