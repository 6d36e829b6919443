"""Bundles as a stranger would change them: read, forged, sealed again, verified by the tool."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path

from evidence_rules import ROOT
from warm_command import warm_command

from verbatim.evidence.bundle_manifest import NAME, canonical, chain_files, sha256

TOOL, SEAL = (ROOT / f"workflow/tools/{name}_bundle.py" for name in ("verify", "seal"))
SOUND, FAULTY, NO_BUNDLE, UNPROVEN = 0, 1, 2, 3
# what the tools import: they are started a hundred times
LOADED = ("numpy", "PIL.Image", "verbatim.evidence.origin", "verbatim.evidence.replay")


@functools.cache
def python() -> str:
    """The command of a Python that has what the tools import."""
    path = {"PYTHONPATH": str(ROOT / "workflow/src")}
    return warm_command(os.environ | path, dict.fromkeys(LOADED, ()))


def read_files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def findings_of(files: dict[str, bytes]) -> dict[int, dict]:
    """prompt_id of its folder -> finding.json."""
    return {
        int(path.split("/")[1]): json.loads(data)
        for path, data in files.items()
        if path.endswith("finding.json")
    }


def line(data) -> bytes:
    """JSON as a bundle's files are written."""
    return (canonical(data) + "\n").encode()


def seal(files: dict[str, bytes]) -> tuple[dict[str, bytes], str]:
    """The files with a manifest made again, as a forger makes it, and its head."""
    files = {path: data for path, data in files.items() if path != NAME}
    manifest, head = chain_files(files.items())
    return files | {NAME: manifest.encode()}, head


def write(folder: Path, files: dict[str, bytes], head: str) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    folder.with_name(folder.name + ".head").write_text(head + "\n")
    return folder


def run_tool(tool: Path, *words, limit_mb: int = 0, **more) -> tuple[int, str]:
    """Exit code and everything that was printed; `limit_mb` bounds its memory, a minute its time."""
    command = [python(), str(tool), *map(str, words)]
    if limit_mb:
        command = ["prlimit", f"--as={limit_mb * 1_000_000}", *command]
    one = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, cwd="/", timeout=60, env=one, **more)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def verify(*words, **more) -> tuple[int, str]:
    code, text = run_tool(TOOL, *words, **more)
    assert "Traceback" not in text, text
    assert all(char.isprintable() or char == "\n" for char in text), text
    return code, text


# ---- changes of a bundle's files in memory


def change_finding(path, **changes):
    """Change values of a finding; a value is named by its path, two underscores between the names."""

    def change(files):
        finding = json.loads(files[path])
        for key, value in changes.items():
            block, names = finding, key.split("__")
            for name in names[:-1]:
                block = block[int(name) if isinstance(block, list) else name]
            assert block[names[-1]] != value
            block[names[-1]] = value
        return files | {path: line(finding)}

    return change


def change_run(**changes):
    """Change values of run.json, as `change_finding` does."""

    def change(files):
        run = json.loads(files["run.json"])
        for key, value in changes.items():
            block, names = run, key.split("__")
            for name in names[:-1]:
                block = block[name]
            assert block[names[-1]] != value
            block[names[-1]] = value
        return files | {"run.json": line(run)}

    return change


def replace_image(path, name, data):
    """Put another image into a finding, with its own digest."""

    def change(files):
        finding = json.loads(files[path])
        finding["original_sha256"][name] = sha256(data)
        return files | {path: line(finding), f"{path.rpartition('/')[0]}/{name}": data}

    return change


def also(*changes):
    """One change after another."""

    def change(files):
        for one in changes:
            files = one(files)
        return files

    return change


def drop(*paths):
    return lambda files: {path: data for path, data in files.items() if path not in paths}


def put(path, data):
    return lambda files: files | {path: data}


def swap(one, other):
    return lambda files: files | {one: files[other], other: files[one]}
