"""A clock that is set back: results of the future are refused, and nothing that is out of date is taken for new."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from verbatim.io.file_times import FutureError, check_times

DAY = 86_400


def shift(folder: Path, seconds: float) -> None:
    """As if the clock had been `seconds` ahead when everything here was written; the order stays."""
    for path in [folder, *folder.rglob("*")]:
        when = path.stat().st_mtime_ns + int(seconds * 1e9)
        os.utime(path, ns=(when, when))


def follow(message: str, cwd: Path) -> None:
    """Run the command that a refusal prints."""
    command = re.search(r"run: (find .*)", message)
    assert command
    subprocess.run(command[1].splitlines()[0], shell=True, cwd=cwd, check=True)


def test_files_of_the_present_and_a_folder_that_is_not_there_pass(tmp_path):
    (tmp_path / "a").write_text("")
    check_times(tmp_path)
    check_times(tmp_path / "absent")
    shift(tmp_path, 20)  # another machine's clock
    check_times(tmp_path)


def test_a_file_of_the_future_is_named_with_a_command_that_takes_its_time_away(tmp_path):
    results = tmp_path / "my results"
    (results / "labels").mkdir(parents=True)
    (results / "labels/a.parquet").write_text("")
    (results / "old.csv").write_text("")
    shift(results / "labels", DAY)
    before = (results / "old.csv").stat().st_mtime_ns
    with pytest.raises(FutureError, match=r"\(2 such files\)") as told:
        check_times(results)
    follow(str(told.value), tmp_path)
    check_times(results)
    assert (results / "old.csv").stat().st_mtime_ns == before
    assert time.time() - (results / "labels/a.parquet").stat().st_mtime > DAY
