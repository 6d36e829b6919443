"""Two runs never share a results folder, and a killed one never has to be unlocked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from verbatim.io.locks import LockedError, lock_results

HOLD = """
import sys, time
from verbatim.io.locks import lock_results
lock_results(sys.argv[1], "/home/one/checkout")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `results`."""
    source = Path(__file__).resolve().parents[3] / "workflow" / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "results")], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_run_is_refused_and_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(LockedError) as caught:
        lock_results(tmp_path / "results", tmp_path)
    for words in (
        f"process {holder.pid} on host",
        "/home/one/checkout",
        "results=FOLDER",
        str(tmp_path / "results"),
    ):
        assert words in str(caught.value)
    (tmp_path / "link").symlink_to(tmp_path / "results")
    with pytest.raises(LockedError):  # the same folder by another name
        lock_results(tmp_path / "link", tmp_path)
    lock_results(tmp_path / "other", tmp_path)


def test_a_killed_run_leaves_nothing_to_unlock(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock_results(tmp_path / "results", tmp_path)
    lock_results(tmp_path / "results", tmp_path)  # it is ours: no second lock


def test_a_lock_that_was_just_opened_or_says_nonsense_is_still_one(tmp_path, holder):
    (tmp_path / "results" / ".lock").write_text("[")
    with pytest.raises(LockedError, match="process unknown"):
        lock_results(tmp_path / "results", tmp_path)
