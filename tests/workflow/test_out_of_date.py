"""Nothing that is out of date is taken for new: after a job has failed, and after the clock was set back under a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400
# the hooks of Snakefile and common.smk, on three rules of which the second fails while there is a file `stop`
RULES = f"""
import sys
sys.path.insert(0, {str(ROOT / "workflow" / "src")!r})
from verbatim.config import unfinished
from verbatim.io import file_times

if workflow.is_main_process:
    try:
        file_times.check_times("results")
    except file_times.FutureError as err:
        raise WorkflowError(str(err))

onerror:
    unfinished.mark_unfinished(workflow.dag, workflow.persistence)

rule table:
    input: "results/score.txt"
    output: "results/table.txt"
    shell: "sed s/score/table/ {{input}} > {{output}}"

rule score:
    input: "results/model.txt"
    output: "results/score.txt"
    params: seeds=config["seeds"]
    shell: "test ! -e stop && (sed s/model/score/ {{input}}; echo {{params.seeds}}) > {{output}}"

rule model:
    output: "results/model.txt"
    params: version=config["version"]
    shell: "echo model {{params.version}} > {{output}}"
"""
FIRST = {"version": 1, "seeds": 4}


class Run:
    """The three rules in a folder."""

    def __init__(self, folder: Path):
        self.folder, self.results = folder, folder / "results"
        (folder / "Snakefile").write_text(RULES)

    def __call__(self, **config: int) -> tuple[int, str]:
        words = [f"{key}={value}" for key, value in (FIRST | config).items()]
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "1",
            "--rerun-incomplete",
            "--config",
            *words,
        ]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def fails(self, **config: int) -> None:
        """A run whose second job ends with an error."""
        (self.folder / "stop").touch()
        code, text = self(**config)
        (self.folder / "stop").unlink()
        assert code != 0
        assert "Error in rule score" in text

    def table(self) -> str:
        return (self.results / "table.txt").read_text()

    def follow(self, message: str) -> None:
        """Run the command that a refusal prints."""
        command = re.search(r"run: (find .*)", message)
        assert command, message
        subprocess.run(command[1], shell=True, cwd=self.folder, check=True)


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    assert run()[0] == 0
    assert run.table() == "table 1\n4\n"
    return run


def date(paths, seconds: float) -> None:
    """Give files the times that a clock which is `seconds` ahead gives them, in their order."""
    for place, path in enumerate(sorted(paths, key=lambda path: path.stat().st_mtime_ns)):
        when = time.time() + seconds + place
        os.utime(path, (when, when))


@pytest.mark.parametrize("changed", [{"version": 2}, {"seeds": 9}], ids=["input", "parameter"])
def test_after_a_failed_job_the_next_run_makes_all_that_waited_for_it(run, changed):
    run.fails(**changed)
    code, text = run(**changed)
    assert code == 0, text
    new = FIRST | changed
    assert run.table() == f"table {new['version']}\n{new['seeds']}\n"
    assert "Nothing to be done" in run(**changed)[1]


def test_a_clock_that_is_set_back_before_or_under_a_run_leaves_nothing_out_of_date(run):
    date(run.results.iterdir(), DAY)  # made by the wrong clock
    code, text = run(version=2)
    assert code != 0
    run.follow(text)
    run.fails(version=2)
    # the model was made after the clock was set back, the table a day later by the old clock
    date([run.results / "table.txt"], DAY)
    code, text = run(version=2)
    assert code != 0
    run.follow(text)
    code, text = run(version=2)
    assert code == 0, text
    assert run.table() == "table 2\n4\n"
    assert "Nothing to be done" in run(version=2)[1]
