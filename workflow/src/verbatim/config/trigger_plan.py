"""Which models prompts are searched for that trigger a copy, and which files the rules need: target `triggers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from verbatim.config.run import Run
from verbatim.config.settings import ConfigError

FOLDER = "<results>/detectors/{model}/triggers"
FAMILIES = ("sd", "sdxl")  # whose tokenizer holds whole words
SEARCHES = ("words", "gibbs", "random")  # that see a checkpoint alone
CAPTIONS = "captions"  # the known captions, by their white-box score
METHODS = (*SEARCHES, CAPTIONS)


class Triggers:
    """The config block `detectors.triggers`, as rules need it."""

    searches = "|".join(SEARCHES)  # patterns of the wildcard `method`
    methods = "|".join(METHODS)
    names = METHODS

    def __init__(self, run: Run):
        self._run = run
        self._block: Mapping[str, Any] = run.config["detectors"]["triggers"]

    @property
    def models(self) -> list[str]:
        """The models: those of detectors.triggers.models, or all that are attacked and have words to search in.

        Raises
        ------
        ConfigError
            Where there is none, one is not fit, or the data are not the embedded world's.
        """
        sheet, attacked = self._run.models.sheet, self._run.models.attacked
        fit = [model for model in attacked if sheet.loc[model, "family"] in FAMILIES]
        named = list(self._block["models"]) or fit
        unfit = [model for model in named if model not in fit]
        if unfit or not named:
            raise ConfigError(
                f"config: detectors.triggers.models: {', '.join(unfit) or 'no model'} cannot be searched: that needs a selected, "
                f"attacked model of family {' or '.join(FAMILIES)}; fit: {', '.join(fit) or 'none'}"
            )
        if not self._run.data.world:
            raise ConfigError(
                "config: the target triggers compares generations with every training image and with what was planted, which only "
                "the embedded world allows; set inputs.source: world"
            )
        return named

    def models_told(self, wildcards: Any) -> list[str]:
        """Params function: `models`."""
        return self.models

    def chains(self, wildcards: Any) -> str | list[str]:
        """Input function: what the search `wildcards.method` has kept; nothing for the known captions."""
        if wildcards.method == CAPTIONS:
            return []
        return f"{FOLDER}/{wildcards.method}/chains.parquet".format(model=wildcards.model)

    def captions(self, wildcards: Any) -> str | list[str]:
        """Input function: the known captions, for the method of this name alone."""
        return "<results>/dedup/prompts.parquet" if wildcards.method == CAPTIONS else []

    def scores(self, wildcards: Any) -> str | list[str]:
        """Input function: the white-box scores of the known captions, for the method of this name alone."""
        scores = f"<results>/whitebox/{wildcards.model}/scores.parquet"
        return scores if wildcards.method == CAPTIONS else []

    def kept(self, wildcards: Any) -> str:
        """Params function: the folder of finished chains."""
        results = self._run.config["results"]
        return f"{results}/detectors/{wildcards.model}/triggers/{wildcards.method}/kept"

    def of_methods(self, file: str) -> Callable[[Any], list[str]]:
        """An input function: a file of every method, of `wildcards.model`."""
        return lambda wildcards: [
            f"{FOLDER}/{method}/{file}".format(model=wildcards.model) for method in METHODS
        ]

    def of_models(self, pattern: str) -> Callable[[Any], list[str]]:
        """An input function: a file of every model; `{model}` in the pattern stands for it."""
        return lambda wildcards: [pattern.replace("{model}", model) for model in self.models]

    def of_all(self, file: str) -> Callable[[Any], list[str]]:
        """An input function: a file of every method of every model, model after model."""
        return lambda wildcards: [
            f"{FOLDER}/{method}/{file}".format(model=model)
            for model in self.models
            for method in METHODS
        ]

    def search_costs(self, wildcards: Any) -> list[str]:
        """Input function: what each search cost, model after model; of the captions what the white-box attack did."""
        return [
            f"<results>/whitebox/{model}/cost.parquet"
            if method == CAPTIONS
            else f"{FOLDER}/{method}/search.parquet".format(model=model)
            for model in self.models
            for method in METHODS
        ]

    def targets(self, wildcards: Any) -> list[str]:
        """Input function: what the target `triggers` ends with."""
        sheets = [f"{FOLDER}/sheet.png".format(model=model) for model in self.models]
        return ["<results>/tables/triggers.csv", *sheets]
