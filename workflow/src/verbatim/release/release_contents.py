"""What a release holds, where it lies there, and what is said of files that stay behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from verbatim.release.snakemake_records import Job

# what a checkout without git is looked through for; nothing hidden, nothing compiled
PARTS = (
    "Snakefile", "Makefile", "setup.sh", "pyproject.toml", "README.md", "LICENSE", "CITATION.cff",
    "workflow", "config", "envs", "tests", "results/README.md",
)  # fmt: skip
# outputs of a target's job that are made to be handed on; tables in Parquet and archives of images are the run itself
SUMS, MARK = "SHA256SUMS", ".snakemake_timestamp"
HANDED_ON = {".csv", ".tsv", ".html", ".png", ".pdf", ".txt", ".json", ".head"}


class ContentsError(ValueError):
    """The release cannot be put together; the message names the file and the cure."""


@dataclass(frozen=True)
class Places:
    """Where the files of a run lie.

    home : the checkout, absolute. results : the results folder, absolute.
    """

    home: Path
    results: Path

    def name(self, path: str | os.PathLike[str]) -> str:
        """Path of a file in the release; it tells nothing of the machine.

        Results are under `results/`, files of the checkout where they are in it, packages under
        `outside/site-packages/`, and other files under `outside/`, with digits that tell their folders apart.
        """
        whole = Path(os.path.abspath(path))
        if whole.is_relative_to(self.results):
            return str(PurePosixPath("results") / whole.relative_to(self.results))
        parts = whole.parts
        if "site-packages" in parts:
            at = len(parts) - parts[::-1].index("site-packages")
            return "/".join(("outside", "site-packages", *parts[at:]))
        if whole.is_relative_to(self.home):
            return str(PurePosixPath(whole.relative_to(self.home)))
        # ASSUME: 8 digits tell the folders of one run apart
        return f"outside/{hashlib.sha256(str(whole.parent).encode()).hexdigest()[:8]}/{whole.name}"


@dataclass(frozen=True)
class Disclosure:
    """What is told of files that are named and not handed on.

    hidden : whether digests and sizes of files that stay behind are left out, as `privacy.images` asks: they would show
    whether somebody's archive is the one with the images.
    most : bytes of a file above which no digest is computed.
    """

    hidden: bool
    most: int

    def properties(self, path: Path, handed_on: bool = False) -> dict[str, str]:
        """contentSize in bytes and sha256 in hexadecimal of a file, where they are told; {} for a folder."""
        if not path.is_file() or (self.hidden and not handed_on):
            return {}
        size = path.stat().st_size
        told = {"contentSize": str(size)}
        if handed_on or size <= self.most:
            told["sha256"] = digest(path)
        return told


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_workflow(home: Path) -> list[str]:
    """Files of the workflow, relative to the checkout: what git tracks, or all files of `PARTS` where there is no git.

    Raises
    ------
    ContentsError
        The checkout has no Snakefile.
    """
    done = subprocess.run(["git", "ls-files", "-z"], cwd=home, capture_output=True)
    top = subprocess.run(["git", "rev-parse", "--show-prefix"], cwd=home, capture_output=True)
    if done.returncode == 0 and top.stdout.strip() == b"" and done.stdout:
        names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    else:
        names = [name for part in PARTS for name in _walk(home, home / part)]
    names = sorted(name for name in names if (home / name).is_file())
    if "Snakefile" not in names:
        raise ContentsError(f"{home}: no Snakefile; the release is made in a checkout of verbatim")
    return names


def _walk(home: Path, part: Path) -> Iterator[str]:
    if part.is_file():
        yield str(part.relative_to(home))
    elif part.is_dir():
        for one in sorted(part.iterdir()):
            if not (one.name.startswith(".") or one.name == "__pycache__" or one.is_symlink()):
                yield from _walk(home, one)


def select_handed_on(jobs: Iterable[Job], targets: Sequence[str]) -> list[str]:
    """Outputs that are handed on, files and folders: those of the jobs that made `targets`, sorted."""
    wanted = set(targets)
    return sorted(
        output
        for job in jobs
        if wanted.intersection(job.outputs)
        for output in job.outputs
        if Path(output).is_dir() or Path(output).suffix.lower() in HANDED_ON
    )


def write_sums(folder: Path) -> tuple[int, int]:
    """Write SHA256SUMS, which `sha256sum --check` reads, of all files under a folder; their number, and bytes in all.

    The marks that Snakemake leaves in folders are deleted first.
    """
    for mark in list(folder.rglob(MARK)):
        mark.unlink()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return len(files), sum(path.stat().st_size for path in files)
