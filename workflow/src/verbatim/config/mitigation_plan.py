"""Which models the attacked mitigations run on, and which files their rules need: target `mitigations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verbatim.config.defence_kinds import CHANGES, MEET_EMBEDDINGS
from verbatim.config.run import Run
from verbatim.config.settings import ConfigError

FOLDER = "<results>/mitigation/attacked/{model}"
OF_WEIGHTS = [name for name, what in CHANGES.items() if what == "weights"]


class Mitigations:
    """The config block `mitigation.attacked`, as rules need it."""

    def __init__(self, run: Run):
        self._run = run
        self._block: Mapping[str, Any] = run.config["mitigation"]["attacked"]

    @property
    def models(self) -> list[str]:
        """The models: those of mitigation.attacked.models, or the first that is attacked and of family sd.

        Raises
        ------
        ConfigError
            Where there is none, one is not fit, or the data are not the embedded world's.
        """
        sheet, attacked = self._run.models.sheet, self._run.models.attacked
        fit = [model for model in attacked if sheet.loc[model, "family"] == "sd"]
        named = list(self._block["models"]) or fit[:1]
        unfit = [model for model in named if model not in fit]
        if unfit or not named:
            raise ConfigError(
                f"config: mitigation.attacked.models: {', '.join(unfit) or 'no model'} cannot be tested: that needs a selected, "
                f"attacked model of family sd; fit: {', '.join(fit) or 'none'}"
            )
        if not self._run.data.world:
            raise ConfigError(
                "config: the target mitigations judges by what was planted, which only the embedded world knows; set inputs.source: world"
            )
        return named

    def models_told(self, wildcards: Any) -> list[str]:
        """Params function: `models`."""
        return self.models

    @property
    def defences(self) -> list[str]:
        """None, and then those of mitigation.attacked.defences."""
        return ["none", *(name for name in self._block["defences"] if name != "none")]

    @property
    def changes(self) -> dict[str, tuple[str, bool]]:
        """Defence -> what it changes, and whether a prompt embedding that is handed in meets it."""
        return {name: (CHANGES[name], CHANGES[name] in MEET_EMBEDDINGS) for name in self.defences}

    def neurons(self, wildcards: Any) -> str | list[str]:
        """Input function: the neurons that `wildcards.defence` switches off; none of a defence that leaves the weights."""
        named = wildcards.defence in OF_WEIGHTS
        return f"{FOLDER}/neurons.parquet".format(model=wildcards.model) if named else []

    def embeddings(self, wildcards: Any) -> str:
        """Input function: the adversarial embeddings of the weights that `wildcards.defence` leaves."""
        defence = wildcards.defence if wildcards.defence in OF_WEIGHTS else "none"
        return f"{FOLDER}/{defence}/embeddings.parquet".format(model=wildcards.model)

    def of_defences(self, file: str) -> Any:
        """An input function: a file behind every defence, of `wildcards.model`."""

        def files(wildcards: Any) -> list[str]:
            return [
                f"{FOLDER}/{name}/{file}".format(model=wildcards.model) for name in self.defences
            ]

        return files

    def of_models(self, file: str) -> Any:
        """An input function: a file of every model."""
        return lambda wildcards: [f"{FOLDER}/{file}".format(model=model) for model in self.models]

    def of_all(self, file: str) -> Any:
        """An input function: a file behind every defence of every model, model after model."""

        def files(wildcards: Any) -> list[str]:
            return [
                f"{FOLDER}/{name}/{file}".format(model=model)
                for model in self.models
                for name in self.defences
            ]

        return files

    def targets(self, wildcards: Any) -> list[str]:
        """Input function: what the target `mitigations` ends with."""
        sheets = [f"{FOLDER}/sheet.png".format(model=model) for model in self.models]
        return ["<results>/tables/mitigations.csv", *sheets]
