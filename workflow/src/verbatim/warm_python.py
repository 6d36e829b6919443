"""A Python that starts with its libraries loaded, for the many short jobs of a run on one machine.

A job of the embedded world computes for seconds and loads torch, diffusers and transformers for as long. Here one process
loads them, and every program is a copy of it (fork): a process of its own, with its own folder, environment,
streams, memory limit and exit code, which imports whatever is not loaded from the tree that it runs in. It computes what a
program that was started in the ordinary way computes. When whoever waits for a program is killed, the program is killed too, and
so are all programs when that one process ends. Until it has loaded everything, programs start in the ordinary way.

This file is also that process: it imports nothing of this library, which each program takes from its own tree.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# package -> modules that jobs load of it, and the names that are looked up there: diffusers and transformers load a class when it
# is named
PRELOADED: dict[str, dict[str, tuple[str, ...]]] = {
    "pandas": {"pandas": ()},
    "pyarrow": {"pyarrow.dataset": (), "pyarrow.pandas_compat": (), "pyarrow.parquet": ()},
    "scipy": {"scipy.ndimage": (), "scipy.sparse.csgraph": (), "scipy.stats": ()},
    "sklearn": {"sklearn.metrics": ()},
    "matplotlib": {"matplotlib.pyplot": ()},
    "seaborn": {"seaborn": ()},
    "duckdb": {"duckdb": ()},
    "faiss": {"faiss": ()},
    "torch": {"torch": ()},
    "open_clip": {"open_clip": ()},
    "diffusers": {
        "diffusers": (
            "AutoencoderKL", "DDPMScheduler", "IFPipeline", "IFSuperResolutionPipeline", "StableDiffusionPipeline",
            "UNet2DConditionModel",
        )
    },
    "transformers": {"transformers": ("CLIPTextModel", "CLIPTokenizer", "T5EncoderModel", "T5Tokenizer")},
}  # fmt: skip
LEAST = 2  # jobs of a run that load a package, from which it is loaded for all of them
# variables that these libraries read as they load; a program with others is started in the ordinary way
READ_AS_THEY_LOAD = ("CUDA_", "DIFFUSERS_", "HF_ENDPOINT", "HF_HOME", "MPL", "PYTORCH_", "TORCH_", "TRANSFORMERS_")  # fmt: skip
# as verbatim.runtime sets them before a job loads its libraries
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ORDINARY = "ordinary"
PR_SET_PDEATHSIG = 1  # of Linux's prctl: a program ends with the process that it is a copy of
SWITCH = "VERBATIM_WARM"  # environment: 0 starts every job in the ordinary way

CLIENT = """\
import json, os, resource, socket, sys
argv = sys.argv[1:]
try:
    assert argv[:1] == ["-m"] or argv[:1] and not argv[0].startswith("-")
    server = socket.socket(socket.AF_UNIX)
    server.connect(%(socket)r)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    told = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ), "memory": memory, "pid": os.getpid()}
    told = json.dumps(told).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
except (AssertionError, OSError):  # nothing that it can start, or it has not loaded its libraries yet
    answer = %(ordinary)r
else:
    answer = server.makefile().read()
    if not answer:
        print("the process that started this job (verbatim/warm_python.py) was killed; %(switch)s=0 in the "
              "environment starts jobs without it", file=sys.stderr)
if answer != %(ordinary)r:
    code = int(answer) if answer else 1
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
os.execv(%(python)r, [%(python)r, *argv])
"""


class WarmPython:
    """The process that has the libraries loaded.

    folder : where its command, its socket and the list of its programs are made; a short path, as sockets need.
    libraries : modules to load, each with the names to look up in it.
    wait : until it has loaded them; programs that start earlier do so in the ordinary way.
    python : the command to start programs with, instead of `sys.executable`.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        libraries: Mapping[str, Sequence[str]],
        wait: bool = True,
    ):
        self.folder, self.python = folder, folder / "python"
        client = folder / "client.py"
        words = {
            "socket": str(folder / "socket"), "python": sys.executable, "ordinary": ORDINARY, "switch": SWITCH,
        }  # fmt: skip
        client.write_text(CLIENT % words)
        self.python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{client}' \"$@\"\n")
        self.python.chmod(0o755)
        command = [sys.executable, __file__, str(folder), json.dumps(libraries)]
        # it ends as its standard input does, however this process ends, and not by the Ctrl-C that ends the programs
        self.process = subprocess.Popen(
            command, env=dict(environment), cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        if wait:
            assert self.process.stdout is not None
            assert self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def program_of(self, waiting: int) -> int | None:
        """The process of a program, by the process that waits for it; None for one that waits for none."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / str(waiting)).read_text())
        return None


def start_warm(
    environment: Mapping[str, str], libraries: Mapping[str, Sequence[str]], wait: bool = True
) -> WarmPython:
    """Start a process with these libraries, which ends with this one. Linux only."""
    folder = Path(tempfile.mkdtemp(prefix="warm", dir="/tmp"))  # the path of a socket is short
    warm = WarmPython(folder, environment, libraries, wait)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(warm.close)
    return warm


def libraries_of(packages: Iterable[Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """What to load for jobs of which each loads some packages: the modules of those that several load."""
    counts = Counter(package for of_job in packages for package in of_job)
    found: dict[str, tuple[str, ...]] = {}
    for package, modules in PRELOADED.items():
        if counts[package] >= LEAST:
            found |= modules
    # what jobs read their inputs, outputs and params with
    return {"snakemake.script": ()} | found if found else {}


def can_start() -> bool:
    """Whether jobs of this machine may start as copies: not with a GPU, whose driver no copy can use, nor twice."""
    driver, started = Path("/dev/nvidiactl"), Path(sys.executable).with_name("socket")
    wanted = os.environ.get(SWITCH, "1") != "0"
    return sys.platform == "linux" and wanted and not driver.exists() and not started.exists()


def load_libraries(
    workflow: Any, packages_of: Callable[[Path], Iterable[str]], benchmark: Any
) -> None:
    """Load libraries once for all jobs of a run, where Snakemake starts them on this machine with its own Python.

    workflow : Snakemake's. packages_of : packages that a script imports. benchmark : the module `snakemake.benchmark`.
    """
    deployed = workflow.deployment_settings.deployment_method  # conda, say: another Python
    here = workflow.is_main_process and workflow.local_exec and not workflow.touch
    if not here or deployed or not can_start():
        return
    rules = Path(workflow.basedir) / "workflow" / "rules"
    jobs = (job for job in workflow.dag.needrun_jobs() if job.rule.script)
    libraries = libraries_of(packages_of(rules / job.rule.script) for job in jobs)
    if not libraries:
        return
    try:
        warm = start_warm(os.environ, libraries, wait=False)
    except OSError:  # nothing can be written there: jobs start in the ordinary way
        return
    if os.access(warm.python, os.X_OK):  # not where files may not be run (a mount with noexec)
        sys.executable = str(warm.python)
        benchmark.BenchmarkTimer = observe_programs(benchmark.BenchmarkTimer, warm)


def observe_programs(timer: type[Any], warm: WarmPython) -> type[Any]:
    """Snakemake's `BenchmarkTimer`, which also measures the program that a process of a job waits for."""
    import psutil

    class Observed(psutil.Process):
        def children(self, recursive: bool = False) -> list[psutil.Process]:
            own = super().children(recursive)
            programs = []
            for process in (self, *own):
                with contextlib.suppress(psutil.Error):
                    if number := warm.program_of(process.pid):
                        program = psutil.Process(number)
                        programs += [program, *program.children(recursive=True)]
            return own + programs

    class Timer(timer):
        def __init__(self, pid: int, *args: Any, **more: Any):
            super().__init__(pid, *args, **more)
            self.main = Observed(pid)

    return Timer


def _load(libraries: dict[str, list[str]]) -> None:
    os.environ.update(OFFLINE)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    for module, names in libraries.items():
        # a program for which it is not there says so in its own words
        with contextlib.suppress(ImportError):
            loaded = importlib.import_module(module)
            for name in names:
                getattr(loaded, name)
    gc.collect()
    gc.freeze()  # no copy looks through what all have in common


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, fds, _, _ = socket.recv_fds(connection, 8, 3)
    size, parts = int.from_bytes(head, "big"), b""
    while len(parts) < size and (some := connection.recv(size - len(parts))):
        parts += some
    return json.loads(parts), fds


def _become(told: dict[str, Any], fds: list[int], python: str) -> None:
    """Make this process one that was started with these words, in this folder, with these streams."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for fd, stream in enumerate(fds):
        os.dup2(stream, fd)
        os.close(stream)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"] | OFFLINE)
    if "huggingface_hub.constants" in sys.modules:
        importlib.reload(sys.modules["huggingface_hub.constants"])  # where its cache is
    os.environ.clear()
    os.environ.update(told["env"])
    sys.executable = python
    importlib.invalidate_caches()
    _use_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    import resource

    resource.setrlimit(resource.RLIMIT_AS, tuple(told["memory"]))


def _use_threads(threads: int) -> None:
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    if "numpy" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(threads)


def _run(argv: list[str]) -> int:
    """Run a script or, after `-m`, a module, as the interpreter would; its exit code."""
    code: Any = 0
    try:
        if argv[0] == "-m":
            sys.argv = argv[1:]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = argv
            sys.path.insert(0, str(Path(argv[0]).resolve().parent))
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, (int, type(None))):
        sys.stderr.write(f"{code}\n")
        code = 1
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return int(code or 0)


class _Programs:
    """The programs that run, each a copy of this process, and who waits for them.

    One process watches all: a second copy for each, to wait for it, would cost as much again as the first.
    """

    def __init__(self, listener: socket.socket, folder: Path):
        self.listener, self.folder = listener, folder
        # pidfd -> process, who waits, the file that says so
        self.running: dict[int, tuple[int, socket.socket, Path]] = {}
        self.waiting: dict[socket.socket, int] = {}  # who waits -> pidfd

    def start(self, connection: socket.socket) -> None:
        """Start what a client asks for, or tell it to do so itself."""
        told, fds = _received(connection)
        loaded = {k: v for k, v in os.environ.items() if k.startswith(READ_AS_THEY_LOAD)}
        wanted = {k: v for k, v in told["env"].items() if k.startswith(READ_AS_THEY_LOAD)}
        if loaded | OFFLINE != wanted | OFFLINE:
            _answer(connection, ORDINARY)
        elif (program := os.fork()) == 0:
            self.leave()
            connection.close()
            _become(told, fds, str(self.folder / "python"))
            os._exit(_run(told["argv"]))
        else:
            ended = os.pidfd_open(program)
            listed = self.folder / str(told["pid"])
            self.running[ended] = (program, connection, listed)
            self.waiting[connection] = ended
            with contextlib.suppress(OSError):
                listed.write_text(str(program))
        for fd in fds:
            os.close(fd)

    def leave(self) -> None:
        """Forget all programs, in a copy of this process: who waits for another one does not wait for this one."""
        self.listener.close()
        for ended, (_, connection, _) in self.running.items():
            os.close(ended)
            connection.close()

    def end(self, ended: int) -> None:
        """Tell who waits for a program its exit code."""
        program, connection, listed = self.running.pop(ended)
        os.close(ended)
        listed.unlink(missing_ok=True)
        _, status = os.waitpid(program, 0)
        self.waiting.pop(connection, None)
        _answer(connection, str(os.waitstatus_to_exitcode(status)))

    def kill(self, connection: socket.socket) -> None:
        """Kill a program that nobody waits for."""
        program, _, _ = self.running[self.waiting.pop(connection)]
        for kill in (os.killpg, os.kill):  # it may have no group of its own yet
            with contextlib.suppress(ProcessLookupError):
                kill(program, signal.SIGKILL)


def _answer(connection: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def main(folder: str, libraries: str) -> None:
    sys.path.pop(0)  # the folder of this file
    _load(json.loads(libraries))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/socket")
    listener.listen(64)
    os.write(1, b"ready\n")
    programs = _Programs(listener, Path(folder))
    while True:
        watched = [listener, sys.stdin, *programs.running, *programs.waiting]
        readable, _, _ = select.select(watched, [], [])
        if sys.stdin in readable:
            for connection in list(programs.waiting):
                programs.kill(connection)
            return
        for one in readable:
            if one in programs.running:
                programs.end(one)
            elif one in programs.waiting:
                programs.kill(one)
        if listener in readable:
            connection, _ = listener.accept()
            connection.settimeout(60)
            try:
                programs.start(connection)
            except (OSError, ValueError):  # the client was killed before it had asked
                connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
