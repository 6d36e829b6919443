"""A stand-in for the `snakemake` object that Snakemake hands a script, and a way to run a script with it."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"


class Files(list):
    """What Snakemake hands a script as `input` or `output`: by position, and by name."""

    def __init__(self, named: dict[str, Any] | list[Any]):
        items = named if isinstance(named, list) else list(named.values())
        flat: list[str] = []
        for item in items:
            flat += [str(x) for x in item] if isinstance(item, (list, tuple)) else [str(item)]
        super().__init__(flat)
        if isinstance(named, dict):
            for name, item in named.items():
                many = isinstance(item, (list, tuple))
                setattr(self, name, [str(x) for x in item] if many else str(item))

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


class Params(SimpleNamespace):
    """What Snakemake hands a script as `params`: by name, and by `get` where a rule may have none."""

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


class Wildcards(dict):
    """What Snakemake hands a script as `wildcards`."""

    __getattr__ = dict.__getitem__


def run_job(
    path: str, log: Path, files: tuple[Any, Any], params: dict[str, Any], **more: Any
) -> None:
    """Run `workflow/scripts/<path>` as a job does.

    Parameters
    ----------
    log
        File that the job logs to.
    files
        The inputs and the outputs, each by name.
    more
        `wildcards` and `threads`.
    """
    smk = SimpleNamespace(
        input=Files(files[0]),
        output=Files(files[1]),
        params=Params(**params),
        wildcards=Wildcards(more.get("wildcards") or {}),
        threads=more.get("threads", 1),
        rule=Path(path).stem,
        log=[str(log)],
        resources=SimpleNamespace(),
    )
    runpy.run_path(str(SCRIPTS / path), init_globals={"snakemake": smk}, run_name="__main__")
