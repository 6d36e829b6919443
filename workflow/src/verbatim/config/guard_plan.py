"""Which models the guard is evaluated on, and which files its rules need: target `guard`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from verbatim.config.run import Run
from verbatim.config.settings import ConfigError

FOLDER = "<results>/guard/{model}"


class Guard:
    """The config block `guard`, as rules need it."""

    def __init__(self, run: Run):
        self._run = run
        self._block: Mapping[str, Any] = run.config["guard"]

    @property
    def models(self) -> list[str]:
        """The models: those of guard.models, or the first that is attacked.

        Raises
        ------
        ConfigError
            Where there is none, or one is not attacked or has two stages.
        """
        sheet, attacked = self._run.models.sheet, self._run.models.attacked
        named = list(self._block["models"]) or attacked[:1]
        fit = [model for model in attacked if not sheet.loc[model, "upscaler"]]
        unfit = [model for model in named if model not in fit]
        if unfit or not named:
            raise ConfigError(
                f"config: guard.models: {', '.join(unfit) or 'no model'} cannot be guarded: a guard needs first-step scores "
                f"(whitebox: yes in the models sheet), generations of one stage, and a model that is selected; fit: "
                f"{', '.join(fit) or 'none'}"
            )
        return named

    def models_told(self, wildcards: Any) -> list[str]:
        """Params function: `models`."""
        return self.models

    def of_models(self, pattern: str) -> Callable[[Any], list[str]]:
        """An input function: a file of every model; `{model}` in the pattern stands for it."""
        return lambda wildcards: self._run.of_models(pattern, self.models)

    def of_defences(self, file: str) -> list[str]:
        """A file behind each defence, of `{model}`."""
        return [f"{FOLDER}/{name}/{file}" for name in self._block["defences"]]

    def of_all(self, file: str) -> Callable[[Any], list[str]]:
        """An input function: a file behind each defence of every model, model after model."""

        def files(wildcards: Any) -> list[str]:
            return [
                pattern.replace("{model}", model)
                for model in self.models
                for pattern in self.of_defences(file)
            ]

        return files

    def kept(self, wildcards: Any) -> str:
        """Params function: the folder of generations behind a defence that are finished."""
        return f"{self._run.config['results']}/guard/{wildcards.model}/{wildcards.defence}/kept"

    def targets(self, wildcards: Any) -> list[str]:
        """Input function: what target `guard` ends with; verdicts by kind of prompt where that is known."""
        table = ["<results>/tables/guard.csv"] if self._run.data.world else []
        files = [
            f"{FOLDER}/{file}".replace("{model}", model)
            for file in ("sheet.png", "guard.csv")
            for model in self.models
        ]
        return [*files, *table]
