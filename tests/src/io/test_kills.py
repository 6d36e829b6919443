"""Tens of kills at random moments: every file is whole at each of them, and the end is that of a run without any."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import killed_writer
import pytest

KILLS = int(os.environ.get("VERBATIM_KILLS", "24"))


class Writer:
    """Runs `killed_writer` on a folder, and kills it."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [sys.executable, killed_writer.__file__, str(folder)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def run(self, until: float | None = None) -> tuple[int, float]:
        """Exit code of one job and its seconds; it is killed after `until` seconds."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        pid, start = int(self.process.stdout.readline()), time.monotonic()
        if until is not None:
            time.sleep(until)
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        return int(self.process.stdout.readline()), time.monotonic() - start

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start():
    writers = []

    def begin(folder: Path) -> Writer:
        writers.append(Writer(folder))
        return writers[-1]

    yield begin
    for writer in writers:
        writer.close()


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.slow
def test_kills_at_random_moments_leave_whole_files_and_end_in_the_same_bytes(tmp_path, start):
    code, seconds = start(tmp_path / "undisturbed").run()
    assert code == 0
    moments, writer = random.Random(0), start(tmp_path / "killed")
    killed, there = 0, set()
    for _ in range(10 * KILLS):
        code, lasted = writer.run(until=moments.uniform(0, seconds))
        there |= killed_writer.check(tmp_path / "killed")
        killed += code == -signal.SIGKILL
        if killed == KILLS:
            break
        if code == 0:  # a busy machine made the undisturbed run slow: moments follow the faster one
            seconds = min(seconds, lasted)
    assert killed == KILLS
    assert "part" in there
    assert writer.run()[0] == 0
    assert killed_writer.check(tmp_path / "killed") == {
        "part",
        "table",
        "archive",
        "array",
        "csv",
        "model",
    }
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_processes_that_make_the_same_at_once_end_in_the_same_bytes(tmp_path, start):
    """As two runs do where a file system knows no locks."""
    assert start(tmp_path / "alone").run()[0] == 0
    writers = [start(tmp_path / "both") for _ in range(2)]
    for writer in writers:
        assert writer.process.stdin
        writer.process.stdin.write("\n")
    for writer in writers:
        assert writer.process.stdout
        writer.process.stdout.readline()
        assert writer.process.stdout.readline() == "0\n"
    assert files_of(tmp_path / "both") == files_of(tmp_path / "alone")
