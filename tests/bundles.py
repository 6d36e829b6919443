"""Bundles as a stranger would change them: read, forged, sealed again, verified by the tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from evidence_rules import ROOT

from verbatim.evidence.manifest import NAME, canonical, chain_files

TOOL, SEAL = (ROOT / f"workflow/tools/{name}_bundle.py" for name in ("verify", "seal"))
SOUND, FAULTY, NO_BUNDLE, UNPROVEN = 0, 1, 2, 3


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
    """The files with a manifest made anew, as a forger makes it, and its head."""
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
    command = [sys.executable, str(tool), *map(str, words)]
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
