"""Services for scripts, which no library function uses: log, threads, device, progress, stamps.

Only scripts import this module. `script(smk)` opens a job: everything printed or raised from then
on lands in the rule's log file too, with the time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from verbatim.io import atomic, seals
from verbatim.models.gpus import claim_gpu, count_gpus

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser

# read by the libraries as they load, and scripts import this module before any of them
# nothing is fetched without being asked for, whatever the user's own environment says
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # in a log a bar is a screenful
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

T = TypeVar("T")
log = logging.getLogger("verbatim")


class _Tee:
    """Writes to the terminal and to the log file: a job's output is never in one place only."""

    def __init__(self, *streams: Any):
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            with contextlib.suppress(
                OSError
            ):  # a full disk: what ends the job is the error of its output
                stream.write(text)
                stream.flush()
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.flush()

    def isatty(self) -> bool:
        return False


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[TextIO]:
    """A log that a full disk does not turn into the error of its job."""
    file = open(path, "w", encoding="utf-8")  # noqa: SIM115
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.close()


@contextlib.contextmanager
def script(smk: Any) -> Iterator[logging.Logger]:
    """Open a job: send log lines, progress and any traceback to `smk.log[0]` and to stderr.

    Sets the thread counts of NumPy's and PyTorch's pools to the rule's `threads` before they load.
    """
    threads = str(max(1, int(smk.threads)))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = threads
    path = Path(str(smk.log[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with _log_file(path) as file:
        tee = _Tee(sys.stderr, file)
        handler = logging.StreamHandler(tee)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        try:
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(int(threads))
            log.info("%s %s starts", smk.rule, dict(smk.wildcards))
            if getattr(smk.resources, "gpu", 0):
                claim_gpu(count_gpus())
            yield log
            log.info("%s done in %.1f s", smk.rule, time.monotonic() - start)
        except BaseException as err:
            import traceback

            # the traceback into the log, where a developer looks; the message on the terminal
            with contextlib.suppress(OSError):
                traceback.print_exc(file=file)
            log.error("%s failed: %s", smk.rule, err)
            raise
        finally:
            log.removeHandler(handler)


def device() -> str:
    """ "cuda" where a GPU can be used, else "cpu". A job sees one GPU (`models.gpus`): no index in the code.

    VERBATIM_DEVICE overrides it.
    """
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return os.environ.get("VERBATIM_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")


def model_source(smk: Any) -> str:
    """Where the job's model lies: `input.model`, a single file or in its folder, or the sheet's `source` (a hub id)."""
    file = smk.input.get("model")
    if not file:
        return str(smk.params.model["source"])
    return str(file) if str(file).endswith(".safetensors") else str(Path(str(file)).parent)


def model_files(smk: Any) -> list[str]:
    """What decides the numbers that a job's model gives: its weights and the code, for a fingerprint.

    The digests of what is loaded: of a model that was trained here, or as `check_model` wrote them of
    another one; the files themselves where nobody did. The same of its second stage, if it has one.
    """
    named = [smk.input.get("weights") or smk.input.get("checked") or _loaded(smk)]
    if smk.params.get("upscaler"):
        named.append(
            smk.input.get("upscaler_weights")
            or smk.input.get("upscaler_checked")
            or _loaded_upscaler(smk)
        )
    named += [smk.input.get("code") or []]
    return [str(file) for one in named for file in ([one] if isinstance(one, str) else one)]


def _loaded(smk: Any) -> list[str]:
    """Paths of the files that are loaded of the job's model; its name alone where there is none to load.

    A shard without prompts loads no model, so that a missing one is no reason to end it.
    """
    from verbatim.models.checkpoint import files_of, find_checkpoint
    from verbatim.models.hub import ModelFolderError

    try:
        checkpoint = find_checkpoint(smk.params.model, model_source(smk))
    except ModelFolderError:
        return [model_source(smk)]
    return [str(path) for path in files_of(checkpoint).values()]


def split_upscaler(row: Any) -> tuple[str, str | None, dict[str, Any]]:
    """Source, revision and settings of a second stage, from `params.upscaler`."""
    how = dict(row)
    return str(how.pop("source")), how.pop("revision") or None, how


def _find_upscaler(smk: Any) -> Path:
    """The folder of the second stage of the job's model."""
    from verbatim.models.load_upscaler import find_upscaler

    file, (source, revision, _) = smk.input.get("upscaler"), split_upscaler(smk.params.upscaler)
    return find_upscaler(
        str(Path(str(file)).parent) if file else source, smk.params.model["family"], revision
    )


def _loaded_upscaler(smk: Any) -> list[str]:
    """Paths of the files that are loaded of the second stage of the job's model."""
    from verbatim.models.load_upscaler import list_upscaler_files

    folder = _find_upscaler(smk)
    names = list_upscaler_files(folder, smk.params.model["family"])
    return [str(folder / name) for name in names]


def _load_upscaler(smk: Any, denoiser: Denoiser) -> None:
    """Give the job's model the second stage that `params.upscaler` says."""
    from verbatim.models.load_upscaler import check_upscaler_digests, load_upscaler
    from verbatim.models.upscaling import UpscalerSettings

    row, folder = smk.params.model, _find_upscaler(smk)
    check_upscaler_digests(folder, row["family"], _digests(smk, "upscaler_"))
    _, _, how = split_upscaler(smk.params.upscaler)
    load_upscaler(
        denoiser, folder, UpscalerSettings(**how), row["family"],
        memory=row.get("memory") or "full",
    )  # fmt: skip


def load_model(smk: Any) -> Denoiser:
    """The denoiser of the job's model, from `input.model` and the sheet row in `params.model`.

    With its second stage where `params.upscaler` says one: for full generations, not for scores.
    Raises ModelFolderError where its files are not those whose digests `weights` or `checked` has.
    """
    from verbatim.models.checkpoint import check_digests, find_checkpoint, load_checkpoint

    row = smk.params.model
    checkpoint = find_checkpoint(row, model_source(smk))
    check_digests(checkpoint, _digests(smk))
    denoiser = load_checkpoint(
        checkpoint, device(), row.get("dtype") or "float32", row.get("memory") or "full"
    )
    if smk.params.get("upscaler"):
        _load_upscaler(smk, denoiser)
    return denoiser


def progress(
    items: Iterable[T], what: str, total: int | None = None, every: float = 10.0
) -> Iterator[T]:
    """Yield `items`, and log how far along they are, how fast and how long it will take still.

    A line every `every` seconds rather than a redrawn bar: jobs run side by side and into files.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every:
            last = now
            rate = done / (now - start)
            if total:
                bar = "#" * int(20 * done / total)
                left = (total - done) / rate
                log.info(
                    "%s [%-20s] %d/%d, %.3g a second, %.0f s left",
                    what,
                    bar,
                    done,
                    total,
                    rate,
                    left,
                )
            else:
                log.info("%s: %d, %.3g a second", what, done, rate)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file, whole or not at all; a table (.csv, .tsv) gets a checksum, see `io.seals.checked`."""
    if Path(path).suffix in (".csv", ".tsv"):
        seals.write_table_text(path, text)
    else:
        atomic.write_text(path, text)


@contextlib.contextmanager
def scratch(output: str | os.PathLike) -> Iterator[Path]:
    """A folder for a job's intermediate files, beside its output; gone at the end, and so is a killed job's."""
    with atomic.scratch_folder(f"{output}.scratch") as folder:
        yield folder


class TrainingReport:
    """Told of each step of a training: logs progress, keeps the losses, writes them at the end."""

    def __init__(self, what: str, steps: int, every: float = 10.0):
        self.what, self.steps, self.every = what, steps, every
        self.rows: list[tuple[int, float, float, float]] = []
        self.last = 0.0

    def __call__(self, step: int, loss: float, rate: float, seconds: float) -> None:
        if not self.rows and step:
            log.info("%s: resumed at step %d", self.what, step)
        self.rows.append((step, loss, rate, seconds))
        if seconds - self.last >= self.every or step + 1 == self.steps:
            self.last = seconds
            recent = [row[1] for row in self.rows[-50:]]
            left = (self.steps - step - 1) * seconds / len(self.rows)
            bar = "#" * int(20 * (step + 1) / self.steps)
            log.info(
                "%s [%-20s] step %d/%d, loss %.4f, %.0f s left",
                self.what, bar, step + 1, self.steps, sum(recent) / len(recent), left,
            )  # fmt: skip

    def write(self, path: str | os.PathLike, checkpoint: str | os.PathLike) -> None:
        """Write the `training_log` table and delete the checkpoint, which is not needed any more."""
        import pandas as pd

        from verbatim.io.records import write_table

        columns = ["step", "loss", "learning_rate", "seconds"]
        write_table(path, "training_log", pd.DataFrame(self.rows, columns=columns))
        Path(checkpoint).unlink(missing_ok=True)


def write_digest(path: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Write the SHA-256 of each safetensors file under `folder`, a line each.

    A model's index does not show its weights, so what is computed from a model depends on this file.
    """
    import hashlib

    lines = []
    for file in sorted(Path(folder).rglob("*.safetensors")):
        with open(file, "rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        lines.append(f"{digest}  {file.relative_to(folder)}")
    write_text(path, "\n".join(lines) + "\n")


def weights_digest(smk: Any) -> dict[str, str]:
    """SHA-256 of each file that is loaded of the job's model, by its path in the model's folder.

    From `input.weights` (weights of a model that was trained here) or `input.checked` (all files of
    another one); empty for a job that has neither. Those of a second stage are named upscaler/...
    """
    second = _digests(smk, "upscaler_") if smk.params.get("upscaler") else {}
    return _digests(smk) | {f"upscaler/{name}": digest for name, digest in second.items()}


def _digests(smk: Any, stage: str = "") -> dict[str, str]:
    """`weights_digest` of one stage; `stage`: what the names of the inputs begin with."""
    if file := smk.input.get(f"{stage}weights"):
        lines = Path(str(file)).read_text("utf-8").splitlines()
        return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if file := smk.input.get(f"{stage}checked"):
        rows = [line.split("\t") for line in Path(str(file)).read_text("utf-8").splitlines()[1:]]
        return {name: digest for name, _, digest in rows}
    return {}


def code_state(files: Sequence[str | os.PathLike], home: str | os.PathLike) -> dict[str, Any]:
    """SHA-256 of these modules, version of the software in the folder `home`, and git's commit of it (and whether code
    differs from it)."""
    import hashlib
    import subprocess

    from verbatim.io.software_version import software_version

    modules = {}
    for file in map(Path, files):
        modules["/".join(file.parts[-2:])] = hashlib.sha256(file.read_bytes()).hexdigest()
    said = []
    for words in (
        ["rev-parse", "HEAD"],
        ["status", "--porcelain", "--", ":/Snakefile", ":/workflow"],
    ):
        done = subprocess.run(["git", *words], cwd=home, capture_output=True, text=True)
        said.append(done.stdout.strip() if done.returncode == 0 else "")
    return {
        "modules": modules, "version": software_version(home), "git_commit": said[0], "git_changed": bool(said[1]),
    }  # fmt: skip
