"""setup.sh with a real venv and pip, on a lock of one package that lies in a folder beside it."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys\n\ndef main():\n    print(sys.executable)\n"
FILES = {
    "snakemake_stub.py": CODE,
    "snakemake-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: snakemake\nVersion: 0.1\n",
    "snakemake-0.1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "snakemake-0.1.dist-info/entry_points.txt": "[console_scripts]\nsnakemake = snakemake_stub:main\n",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder with a package whose command says which Python runs it, as snakemake's jobs would."""
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "snakemake-0.1-py3-none-any.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
        record = "snakemake-0.1.dist-info/RECORD"
        wheel.writestr(record, "".join(f"{name},,\n" for name in [*FILES, record]))
    return folder


def checkout(folder, wheels):
    (folder / "envs").mkdir(parents=True)
    shutil.copy2(ROOT / "setup.sh", folder)
    (wheel,) = wheels.iterdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "envs/requirements.lock").write_text(f"snakemake==0.1 --hash=sha256:{digest}\n")
    return folder


@pytest.fixture
def run(wheels, tmp_path):
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "XDG_", "PYTHON"))
    }
    env |= {
        "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PYTHON": sys.executable,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }  # fmt: skip

    def run(folder, **more):
        return subprocess.run(
            ["./setup.sh"], cwd=folder, env=env | more, capture_output=True, text=True, timeout=300
        )

    return run


def python_of(folder):
    """The Python that jobs of this checkout would be started with."""
    done = subprocess.run(
        [".venv/bin/snakemake"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_checkout_with_a_space_in_its_path_gets_a_venv_that_needs_no_quotes(
    run, wheels, tmp_path
):
    spaced = checkout(tmp_path / "my data" / "it's (here)", wheels)
    done = run(spaced)
    assert done.returncode == 0, done.stderr
    python = Path(python_of(spaced))
    assert python.is_relative_to(tmp_path / "cache/verbatim")
    assert (spaced / ".venv").is_symlink()
    mark = spaced / ".venv/mark"
    mark.touch()
    # the same lock in another such checkout, and a second call: nothing is installed again
    other = checkout(tmp_path / "another place", wheels)
    for folder in (spaced, other):
        assert run(folder).returncode == 0
        assert python_of(folder) == str(python)
        assert (folder / ".venv/mark").exists()


def test_where_no_place_without_spaces_is_known_one_sentence_says_so_before_anything_is_made(
    run, wheels, tmp_path
):
    spaced = checkout(tmp_path / "my data", wheels)
    done = run(spaced, VERBATIM_VENVS=str(tmp_path / "other data"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "set VERBATIM_VENVS to a folder" in done.stderr
    assert not (spaced / ".venv").exists()


def test_a_plain_checkout_keeps_its_venv_inside_and_makes_it_anew_after_a_move(
    run, wheels, tmp_path
):
    plain = checkout(tmp_path / "plain", wheels)
    assert run(plain).returncode == 0
    assert python_of(plain).startswith(f"{plain}/.venv/bin/")
    before = (plain / ".venv/.lock-sha256").stat().st_mtime_ns
    assert run(plain).returncode == 0
    assert (plain / ".venv/.lock-sha256").stat().st_mtime_ns == before
    moved = plain.rename(tmp_path / "moved")
    assert run(moved).returncode == 0
    assert python_of(moved).startswith(f"{moved}/.venv/bin/")
    # a link to another checkout's is never cleared for this one's sake
    linked = checkout(tmp_path / "linked", wheels)
    (linked / ".venv").symlink_to(moved / ".venv")
    with open(linked / "envs/requirements.lock", "a") as lock:
        lock.write("# changed\n")
    assert run(linked).returncode == 0
    assert not (linked / ".venv").is_symlink()
    assert python_of(moved).startswith(f"{moved}/.venv/bin/")
