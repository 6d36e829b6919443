"""Which results a release has: target `release`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from verbatim.config.audits import Audit
from verbatim.config.guard_plan import Guard
from verbatim.config.mitigation_plan import Mitigations
from verbatim.config.run import Run
from verbatim.config.set_plan import Sets
from verbatim.config.trigger_plan import Triggers

OPENMOJI = "CC-BY-SA-4.0"  # of the drawings that the embedded world's images are made of


Ends = Mapping[str, list[str] | Callable[[Any], list[str]]]


def list_ends(
    audited: Audit, mitigated: Mitigations, guarded: Guard, sets: Sets, triggers: Triggers
) -> Ends:
    """Target that `release.also` may name -> the files that it ends with, or an input function that says so."""
    return {
        "audit": audited.targets,
        "guard": guarded.targets,
        "mitigations": mitigated.targets,
        "prompt_sets": sets.targets,
        "study": ["<results>/claims/claims.csv", "<results>/claims/claims.html"],
        "triggers": triggers.targets,
    }


class Release:
    """The config block `release`, as rules need it.

    ends : from `list_ends`.
    """

    def __init__(self, run: Run, ends: Ends):
        self._run, self._ends = run, ends
        self._block: Mapping[str, Any] = run.config["release"]

    def targets(self, wildcards: Any) -> list[str]:
        """Input function: what target `all` ends with, and the targets that `release.also` names."""
        found = list(self._run.targets)
        for name in self._block["also"]:
            files = self._ends[name]
            found += files(wildcards) if callable(files) else files
        return list(dict.fromkeys(found))

    def beside(self, name: str) -> list[str]:
        """A file of the release folder that no rule makes, in a list; [] where it is not there."""
        path = Path(self._run.config["results"]) / "release" / name
        return [str(path)] if path.is_file() else []

    @property
    def licence(self) -> str:
        """SPDX id of the results' licence; "" where none is given."""
        named = str(self._block["licence"])
        own_images = (
            "audit" in self._block["also"] and self._run.config["audit"]["images"] != "world"
        )
        return named or (OPENMOJI if self._run.data.world and not own_images else "")

    @property
    def sheet(self) -> str:
        """Path of the models sheet, from the checkout."""
        return str(self._run.config["models"])

    @property
    def settings(self) -> dict[str, Any]:
        """Every entry of the config, as the release keeps it."""
        return dict(self._run.config)
