"""A program that starts with its libraries loaded is one that starts in the ordinary way, but for the time it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from snakemake_runs import warm_python

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
