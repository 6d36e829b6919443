"""Which results a release has: target `release`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from verbatim.config.audits import Audit
from verbatim.config.guard_plan import Guard
from verbatim.config.mitigation_plan import Mitigations
from verbatim.config.run import Run
from verbatim.config.set_plan import Sets

OPENMOJI = "CC-BY-SA-4.0"  # of the drawings that the embedded world's images are made of


class Release:
    """The config block `release`, as rules need it."""

    def __init__(
        self, run: Run, audited: Audit, mitigated: Mitigations, guarded: Guard, sets: Sets
    ):
        self._run, self._audited, self._sets = run, audited, sets
        self._mitigated, self._guarded = mitigated, guarded
        self._block: Mapping[str, Any] = run.config["release"]

    def targets(self, wildcards: Any) -> list[str]:
        """Input function: what target `all` ends with, and the targets that `release.also` names."""
        found = list(self._run.targets)
        for name in self._block["also"]:
            found += self._ends(name, wildcards)
        return list(dict.fromkeys(found))

    def _ends(self, name: str, wildcards: Any) -> list[str]:
        if name == "audit":
            return self._audited.targets
        if name == "guard":
            return self._guarded.targets(wildcards)
        if name == "mitigations":
            return self._mitigated.targets(wildcards)
        if name == "prompt_sets":
            return self._sets.targets
        return ["<results>/claims/claims.csv", "<results>/claims/claims.html"]

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
