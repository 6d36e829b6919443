"""Fixtures for all tests: the library on the path, and a way to run a rule's script as a job would."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import settings

# what modules leave in memory is looked through once, not at every tenth of it
gc.disable()

# one thread, as rules give their jobs: sums are in the same order, and workers don't fight for cores
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "src"))
sys.path.insert(0, str(ROOT / "tests"))

from law_examples import WHOLE  # noqa: E402

# the same examples in every run: `make test-quick` takes the profile `few`, and
# `pytest --hypothesis-profile=explore` looks at others, and at more of them
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=WHOLE)
settings.register_profile("few", settings.get_profile("fixed"), max_examples=WHOLE // 5)
settings.register_profile("explore", deadline=None, max_examples=20 * WHOLE)
settings.load_profile("fixed")

from script_files import Files, run_job  # noqa: E402

# files whose fixture runs the whole workflow, the longest first: they start first, so that workers end together
WHOLE_RUNS = ("test_smoke", "test_paper", "test_audit", "test_study_smoke", "test_first_hour")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by its folder, and put the files first that take longest.

    `workflow` starts snakemake or reads its rules, the rest is `unit`. `slow` is a unit of more than about .3 s of
    processor time, as its file says, and all of `WHOLE_RUNS`.
    """
    order = {name: place for place, name in enumerate(WHOLE_RUNS)}
    folders = {
        path: path.relative_to(ROOT / "tests").parts[0] for path in {item.path for item in items}
    }
    # then what starts snakemake, so that the last files are short and workers end together
    items.sort(
        key=lambda item: (
            order.get(item.path.stem, len(order)),
            folders[item.path] != "workflow",
        )
    )
    for item in items:
        folder = folders[item.path]
        if folder in ("slurm", "conda", "benchmarks", "release"):
            item.add_marker(pytest.mark.slow)
        elif folder == "workflow":
            item.add_marker(pytest.mark.workflow)
            if item.path.stem in order:
                item.add_marker(pytest.mark.slow)
        elif folder != "gpu":
            item.add_marker(pytest.mark.unit)


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage; it stays as long as the process does."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def wait_for_no_disk():
    """An fsync of this process returns at once: what it is for shows after a power cut alone.

    A disk takes some milliseconds for each of the thousands that tests make. Programs that tests start wait for it.
    """

    def fsync(file: int | IO) -> None:
        os.fstat(file if isinstance(file, int) else file.fileno())  # a closed file is an error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(autouse=True)
def close_figures():
    """No test leaves figures open; matplotlib is not imported for those that draw none."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., None]:
    """Run `workflow/scripts/<path>` with a stand-in for Snakemake's `snakemake` object.

    Its names must be those of the rule: a param that the rule does not give, or one that the test forgets, is an error.
    """

    from rule_names import (
        check_names,  # brings pandas, which the process that shares the tests out needs not
    )

    def run(
        path: str,
        input: dict[str, Any] | None = None,
        output: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        wildcards: dict[str, str] | None = None,
        threads: int = 1,
    ) -> None:
        files = (input or {}, output or {})
        check_names(path, *files, params or {})
        for file in Files(files[1]):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        log = tmp_path / "job.log"
        run_job(path, log, files, params or {}, wildcards=wildcards, threads=threads)

    return run


@pytest.fixture(scope="session")
def tiny_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StableDiffusionPipeline folder with random weights; not to be written to."""
    from tiny_models import make_sd

    return make_sd(tmp_path_factory.mktemp("tiny") / "sd")


@pytest.fixture(scope="session")
def tiny_if(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IFPipeline folder with random weights; not to be written to."""
    from tiny_models import make_if

    return make_if(tmp_path_factory.mktemp("tiny") / "if")


@pytest.fixture(scope="session")
def tiny_upscaler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage II for `tiny_if`, 16 to 32 pixels, with random weights; not to be written to."""
    from tiny_models import make_if_upscaler

    return make_if_upscaler(tmp_path_factory.mktemp("tiny") / "if_upscaler")


@pytest.fixture(scope="session")
def sweep_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CLIP of two steps, as a training of the sweep starts from it; not to be written to."""
    import made_sweep

    return made_sweep.make_clip(tmp_path_factory.mktemp("sweep") / "clip")
