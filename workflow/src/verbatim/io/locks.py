"""One run at a time in a results folder, from any checkout and machine.

Snakemake's own lock lies in the folder that it is started in, so two checkouts with one results folder know nothing of
each other. This one is a lock of the operating system on `<results>/.lock`: it ends with the process that holds it,
however that ends, and never has to be taken away by hand.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
from pathlib import Path

NAME = ".lock"
_held: dict[Path, int] = {}  # open files: a lock ends when its file is closed

log = logging.getLogger(__name__)


class LockedError(RuntimeError):
    """Another run uses the results folder; the message says which and what to do."""


def lock_results(results: str | os.PathLike, checkout: str | os.PathLike) -> None:
    """Hold the results folder for the rest of this process.

    Parameters
    ----------
    results
        The folder; it is made.
    checkout
        The folder of the project that this run was started from: for the message to whoever comes second.

    Raises
    ------
    LockedError
        If another process holds it.
    """
    path = Path(results).resolve() / NAME
    if path in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(
        path, os.O_RDWR | os.O_CREAT, 0o666
    )  # not inherited: a job that outlives the run holds nothing
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        holder = _read(file)
        os.close(file)
        raise LockedError(
            f"{path.parent}: another run uses this results folder: process {holder['pid']} on host {holder['host']}, "
            f"started from {holder['checkout']}; wait until it has ended, or give this run a folder of its own: "
            "--config results=FOLDER"
        ) from err
    except OSError as err:
        if err.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
            os.close(file)
            raise
        log.warning(
            "%s: this file system has no locks (%s); start no second run in this folder", path, err
        )
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "checkout": str(checkout)}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(holder).encode("utf-8"), 0)
    _held[path] = file


def _read(file: int) -> dict[str, object]:
    unknown: dict[str, object] = dict.fromkeys(("pid", "host", "checkout"), "unknown")
    try:
        read = json.loads(os.pread(file, 65536, 0))
    except ValueError:  # it has just been opened
        return unknown
    return unknown | read if isinstance(read, dict) else unknown
