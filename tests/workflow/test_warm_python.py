"""A program that starts with its libraries loaded is one that starts in the ordinary way, but for the time it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_runs import ROOT, clean_environment, warm_python

from verbatim import warm_python as preloading
from verbatim.config.code import imported_packages
from verbatim.warm_python import can_start, libraries_of, start_warm

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="runs are ordinary where there is no fork"
)


@pytest.fixture
def run(tmp_path):
    def run(
        code: str, *words: str, python: str | None = None, **more
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(textwrap.dedent(code))
        command = [python or warm_python(), "program.py", *words]
        env = {"PATH": os.environ["PATH"], "PWD": str(tmp_path), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, **more
        )

    return run


def test_its_folder_words_environment_streams_and_modules_are_its_own(run, tmp_path):
    (tmp_path / "verbatim.py").write_text("here = __file__\n")
    code = """
        import json, os, sys
        import verbatim
        print(json.dumps([os.getcwd(), sys.argv, sys.path[0], dict(os.environ), __name__, verbatim.here]))
        print(sys.stdin.read(), file=sys.stderr)
    """
    warm, ordinary = (run(code, "a b", "", input="told", python=p) for p in (None, sys.executable))
    assert warm.stdout == ordinary.stdout
    assert warm.stderr == ordinary.stderr == "told\n"
    assert warm.returncode == ordinary.returncode == 0


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("import sys\nsys.exit(3)", 3, ""),
        ("import sys\nsys.exit('what was wrong')", 1, "what was wrong\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        ("import atexit\natexit.register(print, 'last')", 0, ""),
    ],
)  # fmt: skip
def test_it_ends_as_an_ordinary_one_does(run, code, exit_code, said):
    warm, ordinary = run(code), run(code, python=sys.executable)
    assert warm.returncode == ordinary.returncode == exit_code
    assert warm.stdout == ordinary.stdout
    assert warm.stderr.endswith(said)


def test_it_has_the_libraries_and_a_module_is_run_by_its_name(run):
    assert run("import sys\nassert {'torch', 'diffusers'} <= set(sys.modules)").returncode == 0
    done = subprocess.run([warm_python(), "-m", "snakemake", "--version"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0
    assert done.stdout[0].isdigit()


def test_an_environment_that_the_libraries_read_as_they_load_gets_an_ordinary_one(run, tmp_path):
    code = "import os, sys\nprint('torch' in sys.modules)"
    assert run(code).stdout == "True\n"
    (tmp_path / "other.py").write_text(code)
    env = {"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [warm_python(), tmp_path / "other.py"], env=env, capture_output=True, text=True
    )
    assert done.stdout == "False\n"


def test_it_is_killed_with_whoever_waits_for_it(tmp_path):
    (tmp_path / "program.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    )
    waiting = subprocess.Popen(
        [warm_python(), "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert waiting.stdout is not None
    program = int(waiting.stdout.readline())
    assert program != waiting.pid
    waiting.kill()
    waiting.wait()
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{program}") and time.monotonic() < end:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{program}")


@pytest.fixture
def started(tmp_path):
    """A Python that has loaded json alone, of this test."""
    warm = start_warm(clean_environment(), {"json.tool": ()})
    yield warm
    warm.close()


def test_a_program_says_so_and_ends_when_the_process_that_it_copies_is_killed(tmp_path, started):
    (tmp_path / "program.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    )
    waiting = subprocess.Popen(
        [started.python, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert waiting.stdout is not None
    program = int(waiting.stdout.readline())
    assert started.program_of(waiting.pid) == program
    started.process.kill()
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "VERBATIM_WARM=0" in said
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{program}") and time.monotonic() < end:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{program}")
    # the next one is started in the ordinary way
    (tmp_path / "program.py").write_text("import sys\nprint('json.tool' in sys.modules)\n")
    done = subprocess.run([started.python, "program.py"], cwd=tmp_path, capture_output=True, text=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "False\n")


def test_what_several_jobs_load_is_loaded_once():
    assert libraries_of([]) == libraries_of([{"torch"}, {"pandas"}]) == {}
    several = libraries_of([{"torch", "pandas"}, {"torch"}, {"unknown"}, {"unknown"}])
    assert set(several) == {"snakemake.script", "torch"}


def test_no_second_one_is_started_and_none_where_it_is_switched_off(monkeypatch):
    monkeypatch.delenv(preloading.SWITCH, raising=False)
    monkeypatch.setattr(sys, "executable", warm_python())
    assert not can_start()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert can_start() != Path("/dev/nvidiactl").exists()
    monkeypatch.setenv(preloading.SWITCH, "0")
    assert not can_start()


def test_every_package_that_is_loaded_is_one_that_a_script_imports():
    scripts = sorted((ROOT / "workflow/scripts").rglob("*.py"))
    imported = set().union(*map(imported_packages, scripts))
    assert set(preloading.PRELOADED) <= imported


@pytest.fixture
def no_programs(tmp_path):
    """A folder whose files may not be run, as /tmp is on some servers: a real mount."""
    folder = tmp_path / "noexec"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True).returncode
    except FileNotFoundError:
        done = 1
    if done:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("where", ["no programs", "no folder", "elsewhere"])
def test_jobs_start_in_the_ordinary_way_where_no_command_can_be_made(
    no_programs, tmp_path, monkeypatch, where
):
    folder = {"no programs": no_programs, "no folder": tmp_path / "none", "elsewhere": tmp_path}[where]  # fmt: skip

    def make(**_) -> str:
        made = folder / "warm"
        made.mkdir()
        return str(made)

    monkeypatch.setattr(preloading.tempfile, "mkdtemp", make)
    monkeypatch.setattr(preloading, "can_start", lambda: True)
    monkeypatch.setattr(sys, "executable", sys.executable)
    rule = SimpleNamespace(script="../scripts/dedup/search_pairs.py")
    workflow = SimpleNamespace(
        deployment_settings=SimpleNamespace(deployment_method=set()), is_main_process=True, local_exec=True,
        touch=False, basedir=str(ROOT), dag=SimpleNamespace(needrun_jobs=lambda: [SimpleNamespace(rule=rule)] * 2),
    )  # fmt: skip
    benchmark, before = SimpleNamespace(BenchmarkTimer=object), sys.executable
    preloading.load_libraries(workflow, lambda script: {"duckdb"}, benchmark)
    assert (sys.executable != before) == (where == "elsewhere")
    assert (benchmark.BenchmarkTimer is not object) == (where == "elsewhere")


SNAKEFILE = """
import os, sys
from pathlib import Path
import snakemake.benchmark
sys.path.insert(0, {src!r})
from verbatim import warm_python

rule all:
    input: "a.txt", "b.txt"

rule job:
    output: "{{name}}.txt"
    benchmark: "{{name}}.tsv"
    script: "job.py"

onstart:
    warm = warm_python.start_warm(os.environ, {{"json.tool": ()}})
    sys.executable = str(warm.python)
    timer = snakemake.benchmark.BenchmarkTimer
    snakemake.benchmark.BenchmarkTimer = warm_python.observe_programs(timer, warm)
"""
JOB = """
import sys, time
held, start = bytearray(200_000_000), time.process_time()
while time.process_time() - start < 2:
    pass
open(snakemake.output[0], "w").write(str("json.tool" in sys.modules))
"""


def test_a_job_is_measured_as_if_it_had_been_started_in_the_ordinary_way(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(src=str(ROOT / "workflow/src")))
    (tmp_path / "job.py").write_text(JOB)
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in "ab":
        assert (tmp_path / f"{name}.txt").read_text() == "True"
        head, line = (row.split("\t") for row in (tmp_path / f"{name}.tsv").read_text().splitlines())  # fmt: skip
        measured = dict(zip(head, line, strict=True))
        assert float(measured["max_rss"]) > 190  # MB; of the process that waits it would be ten
        assert float(measured["cpu_time"]) > 0.9  # it is looked at twice a second
