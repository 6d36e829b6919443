"""Runs the real workflow on a copy of the tree, so that the working tree and its results stay as they are."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from warm_command import LIBRARIES, warm_command

ROOT = Path(__file__).resolve().parents[2]
LEAVE = ("results", ".snakemake", ".git", ".venv", "__pycache__", "*_cache", "node_modules")


@dataclass(frozen=True)
class Job:
    """One planned job."""

    rule: str
    model: str


@dataclass(frozen=True)
class Done:
    """What a run of snakemake said."""

    code: int
    text: str

    @property
    def jobs(self) -> set[Job]:
        """The jobs that were planned or run."""
        found = set()
        for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?: +.*\n)*)", self.text, re.M):
            model = re.search(r"^ +wildcards: .*\bmodel=(\w+)", block, re.M)
            found.add(Job(rule, model[1] if model else ""))
        return found

    @property
    def rules(self) -> set[str]:
        return {job.rule for job in self.jobs}

    @property
    def models(self) -> set[str]:
        return {job.model for job in self.jobs if job.model}


# Snakemake starts its Python unquoted: in a checkout whose path has a space, .venv is a link to a folder without
PYTHON = str(Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name)


def clean_environment() -> dict[str, str]:
    """This process's environment without what is told to tests."""
    # without cached bytecode every job compiles torch and diffusers anew: 25 s each
    leave = ("PYTHONDONTWRITEBYTECODE", "VERBATIM_CHECKS", "PYTEST_")
    return {k: v for k, v in os.environ.items() if not k.startswith(leave)} | {"PYTHONPATH": ""}


@functools.cache
def warm_python() -> str:
    """The command of this process's one Python with loaded libraries; where there is no fork, the ordinary one."""
    return warm_command(clean_environment(), LIBRARIES)


def words_of(process: psutil.Process) -> list[str]:
    """The command line of a process; none of one that has ended."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


class Tree:
    """A copy of the repository, and snakemake in it."""

    warm = True  # whether runs and their jobs start with the libraries loaded

    def __init__(self, folder: Path, overlays: tuple[str, ...] = ()):
        self.folder = folder
        self.overlays = overlays
        for name in ("Snakefile", "config", "workflow", "envs", "tests"):
            source = ROOT / name
            if source.is_dir():
                # only the results of the top folder are left behind: tests/results holds the checks
                stays = {"results", "__pycache__"} if name == "workflow" else {"results"}
                leave = shutil.ignore_patterns(*(x for x in LEAVE if x not in stays))
                shutil.copytree(source, folder / name, ignore=leave)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)

    def command(
        self, *args: str, results: str, cores: int = 2, python: str = PYTHON, **config: str
    ) -> list[str]:
        """snakemake's command line; each keyword is one `--config` entry."""
        settings = [f"{key}={value}" for key, value in {"results": results, **config}.items()]
        files = ["config/config.yaml", *self.overlays]
        # greedy: no linear program is solved at every choice of jobs, as by default
        return [
            python, "-m", "snakemake", "--cores", str(cores), "--scheduler", "greedy", *args, "--configfile", *files,
            "--config", *settings,
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment() | {"XDG_CACHE_HOME": str(self.folder / "cache")}

    def run(
        self, *args: str, results: str = "results", timeout: float = 3000, **config: str
    ) -> Done:
        python = warm_python() if self.warm else PYTHON
        done = subprocess.run(
            self.command(*args, results=results, python=python, **config), cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        )  # fmt: skip
        return Done(done.returncode, done.stdout)

    def plan(self, *args: str, results: str = "results", **config: str) -> Done:
        done = self.run("--dry-run", *args, results=results, **config)
        assert done.code == 0, done.text[-3000:]
        return done

    def processes(self) -> list[psutil.Process]:
        """Every process that works in this folder: snakemake, its jobs, and whoever waits for them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # it has ended, or is somebody else's
                if Path(process.cwd()) == self.folder:
                    found.append(process)
        return found

    def kill_when(
        self,
        ready: Callable[[], bool],
        *args: str,
        results: str,
        warm: bool = True,
        timeout: float = 900,
        **config: str,
    ) -> None:
        """Start a run, and kill it and its jobs (SIGKILL) as soon as `ready`.

        warm : whether it and its jobs start with the libraries loaded.
        """
        python = warm_python() if warm else PYTHON
        run = subprocess.Popen(
            self.command(*args, results=results, python=python, **config), cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + timeout
        try:
            while not ready():
                assert run.poll() is None, "the run ended before it could be killed"
                assert time.monotonic() < end, "the moment to kill the run never came"
                time.sleep(0.02)
        finally:
            running = [word for process in self.processes() for word in words_of(process)]
            end = time.monotonic() + 10
            while (left := self.processes()) and time.monotonic() < end:
                for process in left:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                time.sleep(0.02)
            run.wait()
        assert not left
        assert any("/.snakemake/scripts/" in word for word in running), "no job was running"
