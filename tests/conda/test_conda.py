"""The environments of envs/ made and used by `--sdm conda`, with a stand-in for the conda program.

Shows their form, that they can be solved together, that each rule's job runs in its own, and that each can import
what its rules import; it cannot show what conda-forge has. Runs with VERBATIM_CONDA alone (`make test-conda`):
py-rattler is installed into a throw-away environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "workflow")]

from channel import write_channel  # noqa: E402
from snakemake_runs import Tree  # noqa: E402

from verbatim.config.code import imported_packages as imported  # noqa: E402

pytestmark = pytest.mark.skipif(
    not os.environ.get("VERBATIM_CONDA"), reason="installs py-rattler: make test-conda"
)
FILES = sorted((ROOT / "envs").glob("*.yaml"))
RESULTS = "results/conda"


class CondaTree(Tree):
    """A copy of the tree, and a conda program first in its PATH."""

    warm = False  # its jobs are started by their environments' own Python

    def __init__(self, folder: Path, stand_in: Path):
        super().__init__(folder, ("config/smoke.yaml",))
        self.stand_in = stand_in

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "PATH": f"{self.stand_in}/bin:{os.environ['PATH']}",
            "CONDA_STAND_IN": str(self.stand_in),
            "CONDA_TOLD": str(self.folder / "told"),
        }


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory) -> Path:
    """A folder with bin/conda, bin/activate and the channel."""
    folder = tmp_path_factory.mktemp("conda")
    venv.create(folder / "rattler", with_pip=True)
    python = folder / "rattler" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "py-rattler", "pyyaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (folder / "bin").mkdir()
    conda = folder / "bin" / "conda"
    conda.write_text(f'#!/bin/sh\nexec {python} {Path(__file__).parent}/stand_in.py "$@"\n')
    conda.chmod(0o755)
    activate = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'
    (folder / "bin" / "activate").write_text(activate)
    assert write_channel(folder / "channels" / "conda-forge", FILES) > 30
    return folder


@pytest.fixture(scope="module")
def tree(stand_in, tmp_path_factory) -> CondaTree:
    return CondaTree(tmp_path_factory.mktemp("tree") / "tree", stand_in)


@pytest.fixture(scope="module")
def prefixes(tree, stand_in) -> dict[str, Path]:
    """Environment file -> where it was made, each by itself."""
    made = {}
    for file in FILES:
        prefix = stand_in / "made" / file.stem
        done = subprocess.run(
            ["conda", "env", "create", "--file", file, "--prefix", prefix],
            env=tree.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{file.name}: {done.stderr}"
        made[file.name] = prefix
    return made


def test_every_environment_can_be_solved_and_has_what_it_pins(prefixes):
    for name, prefix in prefixes.items():
        has = {p.name.rsplit("-", 2)[0] for p in (prefix / "conda-meta").glob("*.json")}
        env = yaml.safe_load((ROOT / "envs" / name).read_text("utf-8"))
        pinned = {spec.split()[0] for spec in env["dependencies"] if isinstance(spec, str)}
        assert pinned - {"pip"} <= has


def scripts_of(env: str) -> list[str]:
    """The scripts of the rules that name this environment."""
    found = []
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for text in re.split(r"^rule \w+:\n", file.read_text("utf-8"), flags=re.M)[1:]:
            if f'"../../envs/{env}"' in text:
                found.append(re.search(r"scripts/\S+?\.py", text)[0])
    return found


@pytest.mark.parametrize("env", [file.name for file in FILES])
def test_an_environment_can_import_what_its_rules_import_and_no_more_than_it_names(env, prefixes):
    needed = set().union(*(imported(ROOT / "workflow" / script) for script in scripts_of(env)))
    needed |= {"numpy", "pandas", "pyarrow", "PIL"}
    code = "; ".join(f"import {name}" for name in sorted(needed))
    done = subprocess.run(
        [prefixes[env] / "bin" / "python", "-I", "-c", code],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    other = "snakemake"  # pip installed it, and no environment names it
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({other!r}) is not None)"
    done = subprocess.run([prefixes[env] / "bin" / "python", "-I", "-c", code])
    assert done.returncode == 0, f"{env} sees what it does not name"


def test_jobs_run_in_the_environments_that_their_rules_name(tree):
    """The first rules of the smoke world, up to one shard's rows: two environments."""
    target = f"{RESULTS}/inputs/rows/00000.parquet"
    done = tree.run(target, "--software-deployment-method", "conda", results=RESULTS)
    assert done.code == 0, done.text[-5000:]
    told = (tree.folder / "told").read_text().splitlines()
    ran: dict[str, str] = {}
    for line in told:
        prefix, *command = line.split()
        for word in command:
            if script := re.search(r"\.snakemake/scripts/\w+\.(\w+)\.py$", word):
                ran[script[1]] = prefix
    made = {
        prefix.name: prefix for prefix in (tree.folder / ".snakemake" / "conda").iterdir()
        if prefix.is_dir()
    }  # fmt: skip
    assert {Path(prefix).name for prefix in ran.values()} <= set(made)
    names = {prefix: made[Path(prefix).name].with_suffix(".yaml") for prefix in ran.values()}
    files = {prefix: yaml.safe_load(path.read_text()) for prefix, path in names.items()}
    for script, env in (("build_drawings", "world.yaml"), ("train_clip", "world.yaml"),
                        ("check_inputs", "core.yaml"), ("build_rows", "core.yaml")):  # fmt: skip
        assert files[ran[script]] == yaml.safe_load((ROOT / "envs" / env).read_text()), script


def test_every_environment_that_the_workflow_needs_is_made_before_it_runs(tree):
    done = tree.run(
        "all", "--software-deployment-method", "conda", "--conda-create-envs-only",
        results=RESULTS, inputs="{fetch_urls: true}",
    )  # fmt: skip
    assert done.code == 0, done.text[-3000:]
    made = [p for p in (tree.folder / ".snakemake" / "conda").iterdir() if p.is_dir()]
    used = {env.name for env in FILES if scripts_of(env.name)}
    assert len(made) == len(used)
