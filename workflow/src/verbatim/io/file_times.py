"""Refuse a results folder with files of the future: after a clock was set back, Snakemake would take stale results for new ones.

Snakemake makes a result again where its inputs have a later modification time. A clock that is set back breaks that: an input
that is made today looks older than a result that was made "tomorrow", and the result stays as it is, without a word.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

TOLERANCE = 60.0  # ASSUME: seconds; clocks of machines that share a file system differ by less
_OLD = "2000-01-01"  # older than any input: what has changed inputs is made again, and nothing else


class FutureError(RuntimeError):
    """Files of the results folder have times that are not yet; the message names one and the cure."""


def check_times(results: str | os.PathLike) -> None:
    """Refuse a results folder that has files from after this machine's present time.

    Raises
    ------
    FutureError
        With the command that takes these times away. Snakemake then compares the checksums of small inputs, and makes
        again what it cannot tell.
    """
    present = time.time()
    future = [(when, path) for path, when in _times(Path(results)) if when > present + TOLERANCE]
    if not future:
        return
    when, path = max(future)
    command = shlex.join(
        ["find", str(results), "-newermt", "now", "-exec", "touch", "-h", "-d", _OLD, "{}", "+"]
    )
    raise FutureError(
        f"{path}: written at {datetime.fromtimestamp(when):%Y-%m-%d %H:%M:%S}, but this machine's clock says "
        f"{datetime.fromtimestamp(present):%Y-%m-%d %H:%M:%S} ({len(future)} such files): with a clock that was set back, results "
        f"that are out of date would be taken for new ones. Set the clock; if it is right, run: {command}"
    )


def _times(folder: Path) -> Iterator[tuple[str, float]]:
    """Path and modification time of everything under a folder; no link is followed."""
    todo = [str(folder)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    try:
                        yield entry.path, entry.stat(follow_symlinks=False).st_mtime
                    except FileNotFoundError:
                        continue  # another job's temporary file
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue
