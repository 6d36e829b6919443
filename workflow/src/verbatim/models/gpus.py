"""Which of a machine's GPUs a job uses: Snakemake counts them and chooses none.

A job that asks for one takes the first that no other job of the same user holds, by a lock of the operating system that ends
with the job, and sees that one alone. A scheduler's own choice (CUDA_VISIBLE_DEVICES) is left as it is.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
GPUS = Path("/proc/driver/nvidia/gpus")  # NVIDIA's driver has a folder for each here
_held: list[int] = []  # open files: a lock ends when its file is closed

log = logging.getLogger(__name__)


def count_gpus() -> int:
    """NVIDIA GPUs of this machine; 0 without the driver. No library is loaded and none of them is touched."""
    return len(list(GPUS.iterdir())) if GPUS.is_dir() else 0


def claim_gpu(count: int, folder: str | os.PathLike | None = None) -> int | None:
    """Take a free one of `count` GPUs for the rest of this process; its index, or None where there is no choice.

    No choice: fewer than two, or CUDA_VISIBLE_DEVICES is set. Where all are taken, jobs share: the process's number
    decides. Has to be called before anything uses a GPU.

    folder : of the lock files; by default the system's for temporary files.
    """
    if count < 2 or VISIBLE in os.environ:
        return None
    home = Path(folder or tempfile.gettempdir())
    for index in range(count):
        file = os.open(home / f"verbatim-{os.getuid()}-gpu-{index}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            continue
        _held.append(file)
        os.environ[VISIBLE] = str(index)
        log.info("GPU %d of %d", index, count)
        return index
    index = os.getpid() % count
    os.environ[VISIBLE] = str(index)
    log.warning("all %d GPUs are taken; this job shares number %d", count, index)
    return index
