"""A Python that starts with its libraries loaded, for the many short programs that tests start.

A job of the smoke world computes for a second and loads torch, diffusers and transformers for ten. Here one process
loads them, and every program is a copy of it (fork): a process of its own, with its own folder, environment,
streams, memory limit and exit code, which imports whatever is not loaded from the tree that it runs in. When whoever
waits for a program is killed, the program is killed too.

`start_warm` starts that process and names the command that stands for `python`.
"""

from __future__ import annotations

import atexit
import contextlib
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
from pathlib import Path
from typing import Any

# what jobs and snakemake load; a class of diffusers or transformers is loaded when it is named
LIBRARIES = {
    "snakemake.cli": (),
    "snakemake.script": (),
    "snakemake.report.html_reporter": (),
    "snakemake_logger_plugin_rich.handler": (),
    "jsonschema": (),
    "smart_open": (),
    "pandas": (),
    "pyarrow.dataset": (),
    "pyarrow.pandas_compat": (),
    "pyarrow.parquet": (),
    "scipy.ndimage": (),
    "scipy.sparse.csgraph": (),
    "scipy.stats": (),
    "sklearn.metrics": (),
    "matplotlib.pyplot": (),
    "seaborn": (),
    "faiss": (),
    "torch": (),
    "open_clip": (),
    "diffusers": (
        "AutoencoderKL", "DDPMScheduler", "IFPipeline", "IFSuperResolutionPipeline", "StableDiffusionPipeline",
        "UNet2DConditionModel",
    ),
    "transformers": ("CLIPTextModel", "CLIPTokenizer", "T5EncoderModel", "T5Tokenizer"),
}  # fmt: skip
# variables that these libraries read as they load; a program with others is started in the ordinary way
READ_AS_THEY_LOAD = ("CUDA_", "DIFFUSERS_", "HF_ENDPOINT", "HF_HOME", "MPL", "PYTORCH_", "TORCH_", "TRANSFORMERS_")  # fmt: skip
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
ORDINARY = "ordinary"

CLIENT = """\
import json, os, resource, socket, sys
argv = sys.argv[1:]
if argv[:1] == ["-m"] or argv[:1] and not argv[0].startswith("-"):
    server = socket.socket(socket.AF_UNIX)
    server.connect(%(socket)r)
    memory = resource.getrlimit(resource.RLIMIT_AS)
    told = {"argv": argv, "cwd": os.getcwd(), "env": dict(os.environ), "memory": memory}
    told = json.dumps(told).encode()
    socket.send_fds(server, [len(told).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(told)
    answer = server.makefile().read()
    if answer != %(ordinary)r:
        code = int(answer) if answer else 1
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code)
os.execv(%(python)r, [%(python)r, *argv])
"""


class WarmPython:
    """The process that has the libraries loaded.

    folder : where its command and its socket are made; a short path, as sockets need.
    libraries : modules to load, each with the names to look up in it.
    python : the command to start programs with, instead of `sys.executable`.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str], libraries: dict[str, tuple[str, ...]]
    ):
        self.socket, self.python = folder / "socket", folder / "python"
        client = folder / "client.py"
        words = {"socket": str(self.socket), "python": sys.executable, "ordinary": ORDINARY}
        client.write_text(CLIENT % words)
        self.python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{client}' \"$@\"\n")
        self.python.chmod(0o755)
        command = [
            sys.executable,
            __file__,
            str(self.socket),
            str(self.python),
            json.dumps(libraries),
        ]
        # it ends as its standard input does, however this process ends
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def start_warm(environment: dict[str, str], libraries: dict[str, tuple[str, ...]]) -> str:
    """Start a process with these libraries, which ends with this one; where there is no fork, the ordinary command."""
    if sys.platform != "linux":
        return sys.executable
    folder = Path(tempfile.mkdtemp(prefix="warm", dir="/tmp"))  # the path of a socket is short
    warm = WarmPython(folder, environment, libraries)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(warm.close)
    return str(warm.python)


def _load(libraries: dict[str, list[str]]) -> None:
    os.environ.update(OFFLINE)
    for module, names in libraries.items():
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
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "faiss" in sys.modules:
        sys.modules["faiss"].omp_set_num_threads(threads)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    import resource

    resource.setrlimit(resource.RLIMIT_AS, tuple(told["memory"]))


def _run(argv: list[str]) -> int:
    """Run a script or, after `-m`, a module, as the interpreter would; its exit code."""
    code: Any = 0
    try:
        if argv[0] == "-m":
            sys.argv, sys.path[0] = argv[1:], os.getcwd()
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = argv, str(Path(argv[0]).resolve().parent)
            runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, (int, type(None))):
        print(code, file=sys.stderr)
        code = 1
    with contextlib.suppress(Exception):
        threading._shutdown()  # waits for threads, as the interpreter does
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return int(code or 0)


class _Programs:
    """The programs that run, each a copy of this process, and who waits for them.

    One process watches all: a second copy for each, to wait for it, would cost as much again as the first.
    """

    def __init__(self, listener: socket.socket, python: str):
        self.listener, self.python = listener, python
        self.running: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> process, who waits
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
            _become(told, fds, self.python)
            os._exit(_run(told["argv"]))
        else:
            ended = os.pidfd_open(program)
            self.running[ended], self.waiting[connection] = (program, connection), ended
        for fd in fds:
            os.close(fd)

    def leave(self) -> None:
        """Forget all programs, in a copy of this process: who waits for another one does not wait for this one."""
        self.listener.close()
        for ended, (_, connection) in self.running.items():
            os.close(ended)
            connection.close()

    def end(self, ended: int) -> None:
        """Tell who waits for a program its exit code."""
        program, connection = self.running.pop(ended)
        os.close(ended)
        _, status = os.waitpid(program, 0)
        self.waiting.pop(connection, None)
        _answer(connection, str(os.waitstatus_to_exitcode(status)))

    def kill(self, connection: socket.socket) -> None:
        """Kill a program that nobody waits for."""
        program, _ = self.running[self.waiting.pop(connection)]
        for kill in (os.killpg, os.kill):  # it may have no group of its own yet
            with contextlib.suppress(ProcessLookupError):
                kill(program, signal.SIGKILL)


def _answer(connection: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def main(path: str, python: str, libraries: str) -> None:
    _load(json.loads(libraries))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    programs = _Programs(listener, python)
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
