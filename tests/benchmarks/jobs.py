"""Run workflow/scripts as jobs of their own and measure them; for the other files of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import json, runpy, sys
from types import SimpleNamespace
sys.path.insert(0, {src!r})
job = json.loads(sys.argv[1])

class Named(dict):
    __getattr__ = dict.__getitem__

smk = SimpleNamespace(
    input=Named(job["input"]), output=Named(job["output"]), params=Named(job["params"]),
    wildcards=Named(job["wildcards"]), threads=job["threads"], rule=job["rule"], log=[job["log"]],
    resources=SimpleNamespace(),
)
runpy.run_path(job["script"], init_globals={{"snakemake": smk}}, run_name="__main__")
"""


class Cost(NamedTuple):
    """Wall and processor seconds, peak of all resident MB, and of those that are not pages of mapped files.

    On a machine with other work the processor's seconds are the ones to compare.
    """

    seconds: float
    cpu: float
    peak_mb: float
    own_mb: float


def measure(command: list[str], threads: int = 1) -> Cost:
    """Run a command to its end, looking at its memory 20 times a second."""
    env = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    start, own = time.monotonic(), 0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=env, stdout=errors, stderr=errors)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                lines = []
            for line in lines:
                if line.startswith("RssAnon:"):
                    own = max(own, int(line.split()[1]))
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(errors.read().decode()[-3000:])
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - start, cpu, usage.ru_maxrss / 1024, own / 1024)


def run_job(
    script: str,
    input: dict[str, Any],
    output: dict[str, Any],
    params: dict[str, Any],
    wildcards: dict[str, str],
    folder: Path,
    threads: int = 1,
) -> Cost:
    """Run `workflow/scripts/<script>` as its rule does, in a process of its own."""
    for file in output.values():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    job = {
        "script": str(ROOT / "workflow/scripts" / script), "input": input, "output": output,
        "params": params, "wildcards": wildcards, "threads": threads, "rule": Path(script).stem,
        "log": str(folder / "job.log"),
    }  # fmt: skip
    code = RUN.format(src=str(ROOT / "workflow/src"))
    return measure([sys.executable, "-c", code, json.dumps(job, default=str)], threads)
