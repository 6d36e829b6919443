"""One run of the workflow: what its rules ask for as inputs and params.

Built once, in `workflow/rules/common.smk`, after everything is checked. A path begins with `<results>`, which
Snakemake replaces by `results` of the config. An input or params function takes `wildcards`; where it is made by
a method (`of_shards`), the method says what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from verbatim.config.copy_criteria import CopyCriteria
from verbatim.config.data_files import DataFiles
from verbatim.config.folder_state import folder_state
from verbatim.config.model_files import ModelFiles
from verbatim.config.prompt_plan import planned_prompts, shard_names
from verbatim.config.world_training import WorldTraining

ATTACK = ("whitebox", "blackbox", "postfilter")
PAPER_FIGURES = (
    "fig1_generations",
    "fig2_templates",
    "fig3_precision",
    "fig4_duplication",
    "fig5_near_misses",
    "triples",
    "table1",
)
TRUTH_FIGURES = (
    "recall", "confusion", "roc", "detector_recall", "histogram", "unpicked", "copies",
)  # fmt: skip


def pick(block: Mapping[str, Any], keys: str) -> dict[str, Any]:
    """These keys of a block of the config, named in one text with spaces between them.

    A rule takes what it uses and no more, so that a change of another key reruns nothing.

    Raises
    ------
    KeyError
        Where the block lacks a key.
    """
    return {key: block[key] for key in keys.split()}


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class Run:
    """A checked configuration with the models and the data that it selects.

    Attributes
    ----------
    config
        The checked configuration.
    models
        The models sheet, and which rows of it are selected.
    data
        The training data.
    training
        What the embedded world trains.
    """

    config: Mapping[str, Any]
    models: ModelFiles
    data: DataFiles
    training: WorldTraining

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        sheet: pd.DataFrame,
        selected: pd.DataFrame,
        data: DataFiles,
    ) -> Run:
        """The run of a checked config, its models sheet, the selected rows, and its training data."""
        rows = data.rows
        return cls(
            config,
            ModelFiles(config, sheet, selected, rows),
            data,
            WorldTraining(config, sheet, rows, data.shards if data.world else []),
        )

    def pick(self, block: str, keys: str) -> dict[str, Any]:
        """`pick` from a block by its name; the name of an inner block has a dot: "inputs.download"."""
        found: Mapping[str, Any] = self.config
        for name in block.split("."):
            found = found[name]
        return pick(found, keys)

    @cached_property
    def _shards(self) -> dict[tuple[str, str], list[str]]:
        return {}

    def shards(self, stage: str, model: str) -> list[str]:
        """Names of a model's prompt shards in a stage, one at least; the last takes what is beyond the plan."""
        if (stage, model) not in self._shards:
            planned = planned_prompts(self.config, self.models.sheet, stage, model)
            names = shard_names(max(1, planned), self.config[stage]["prompts_a_shard"])
            self._shards[stage, model] = names
        return self._shards[stage, model]

    def of_shards(self, stage: str, suffix: str) -> Callable[[Any], list[str]]:
        """An input function: the file with this suffix of every prompt shard of `wildcards.model`."""

        def files(wildcards: Any) -> list[str]:
            folder = f"<results>/{stage}/{wildcards.model}/shards"
            return [f"{folder}/{shard}{suffix}" for shard in self.shards(stage, wildcards.model)]

        return files

    def last_shard(self, stage: str) -> Callable[[Any], bool]:
        """A params function: whether `wildcards.shard` is the last that was planned."""

        def is_last(wildcards: Any) -> bool:
            return wildcards.shard == self.shards(stage, wildcards.model)[-1]

        return is_last

    def kept(self, stage: str) -> Callable[[Any], str]:
        """A params function: the folder of finished work of `wildcards.model`; see `verbatim.io.result_cache`."""

        def folder(wildcards: Any) -> str:
            return f"{self.config['results']}/{stage}/{wildcards.model}/kept"

        return folder

    def of_models(self, pattern: str, models: Sequence[str] | None = None) -> list[str]:
        """A file of every selected model, or of every one of `models`; `{model}` in the pattern stands for it."""
        wanted = self.models.all if models is None else models
        return [pattern.replace("{model}", model) for model in wanted]

    def of_attacked(self, pattern: str) -> list[str]:
        """A file of every selected model that is attacked."""
        return self.of_models(pattern, self.models.attacked)

    def of_labels(self, file: str) -> list[str]:
        """A file in <results>/labels of every selected model."""
        return self.of_models(f"<results>/labels/{{model}}/{file}")

    def scores(self, stage: str) -> list[str]:
        """The scores of a stage, of every attacked model."""
        return self.of_attacked(f"<results>/{stage}/{{model}}/scores.parquet")

    @property
    def all_scores(self) -> list[str]:
        """The scores of all stages of the attack."""
        return [path for stage in ATTACK for path in self.scores(stage)]

    @property
    def costs(self) -> list[str]:
        """What every stage spent on the selected models."""
        attack = [
            path
            for stage in ATTACK
            for path in self.of_attacked(f"<results>/{stage}/{{model}}/cost.parquet")
        ]
        detectors = self.of_detected("<results>/detectors/{model}/cost.parquet")
        return attack + detectors + self.of_labels("cost.parquet")

    def of_detected(self, pattern: str) -> list[str]:
        """A file of every attacked model whose detectors are asked for: of none where detectors.scores is empty."""
        return self.of_attacked(pattern) if self.config["detectors"]["scores"] else []

    @property
    def tokens(self) -> list[str]:
        """Which words trigger the copies of every attacked model, where detectors.tokens asks for it."""
        asked = self.config["detectors"]["tokens"]
        return self.of_attacked("<results>/detectors/{model}/tokens.parquet") if asked else []

    @property
    def decisions(self) -> str | list[str]:
        """The file of reviewers' decisions, or nothing."""
        return self.config["labels"]["decisions"] or []

    @property
    def copies(self) -> CopyCriteria:
        """The copy descriptor that labels are compared with."""
        return CopyCriteria(self.config)

    @property
    def criteria(self) -> str | list[str]:
        """The table of a copy descriptor's verdicts, or nothing where none is named."""
        return "<results>/tables/criteria.csv" if self.copies.asked else []

    @property
    def separation(self) -> str | list[str]:
        """The table that measures this descriptor, or nothing where none is named or there are no scenes."""
        return self.truth_table("separation") if self.copies.asked else []

    def of_world(self, path: str) -> str | list[str]:
        """A file of the embedded world, or nothing where the data are a user's own."""
        return path if self.data.world else []

    def urls(self, wildcards: Any) -> str | list[str]:
        """Input function: what came of the urls of `wildcards.model`, where they are fetched."""
        fetched = self.config["inputs"]["fetch_urls"]
        return f"<results>/labels/{wildcards.model}/urls.parquet" if fetched else []

    @property
    def known_prompts(self) -> list[str]:
        """Tables that name every prompt of the run; needed only where privacy.only names some of them.

        A closed system's prompts, and those that the authors labelled, need not be among the selected ones.
        """
        if not self.config["privacy"]["only"]:
            return []
        closed = [model for model in self.models.all if model in self.models.closed]
        theirs = [
            model
            for model in self.models.all
            if self.models.sheet.loc[model, "candidates"] == "authors"
        ]
        return [
            "<results>/dedup/prompts.parquet",
            *self.of_models("<results>/labels/{model}/generations.parquet", closed),
            *self.of_models("<results>/labels/{model}/selection.parquet", theirs),
        ]

    @property
    def tables(self) -> list[str]:
        """Every table of a run; those that need the truth only where there is one."""
        world, attacked = self.data.world, bool(self.models.attacked)
        wanted = {
            "table1_vs_paper": True,
            "costs": True,
            "precision": attacked,
            "recall": world,
            "confusion": world,
            "evaluation": world and attacked,
            "kinds": world and attacked,
            "depths": world and attacked,
            "scores": world and attacked,
            "findings": world and bool(self.models.roles["duplicated"]),
            "agreement": bool(self.models.labelled_by_authors),
            "criteria": self.copies.asked,
            "separation": world and self.copies.asked,
        }
        tables = [f"<results>/tables/{name}.csv" for name, asked in wanted.items() if asked]
        return ["<results>/table1.csv", *tables, "<results>/tables/tables.html"]

    def truth_table(self, name: str) -> str | list[str]:
        """A table that needs the truth, or nothing where there is none."""
        return f"<results>/tables/{name}.csv" if self.data.world else []

    def detector_table(self, name: str) -> str | list[str]:
        """A table of the attacked models' scores against the truth, or nothing where there is none."""
        return self.truth_table(name) if self.models.attacked else []

    def filtered(self, wildcards: Any) -> list[str]:
        """An input: the post-filter's generations of `wildcards.model`, none of a model that is not attacked."""
        attacked = wildcards.model in self.models.attacked
        return [f"<results>/postfilter/{wildcards.model}/images.parquet"] if attacked else []

    @property
    def precision(self) -> str | list[str]:
        """The table of precision, or nothing where no model is attacked."""
        return "<results>/tables/precision.csv" if self.models.attacked else []

    def of_seeds(self, pattern: str) -> list[str]:
        """A file of each world of `tables.seed_runs`; `{seed}` in the pattern stands for its seed."""
        seeds = self.config["tables"]["seed_runs"]
        return [pattern.replace("{seed}", str(seed)) for seed in seeds]

    @property
    def trained_rows(self) -> list[str]:
        """The training rows of every selected model that is trained on what deduplication keeps."""
        pattern = "<results>/world/training/{model}/rows.parquet"
        return self.of_models(pattern, self.models.trained_on_kept)

    @property
    def figures(self) -> list[str]:
        """Every figure of a run; those that need the truth only where there is one."""
        names = [*PAPER_FIGURES, *((*TRUTH_FIGURES, "edges") if self.data.world else ())]
        return [f"<results>/figures/{name}.{kind}" for name in names for kind in ("png", "pdf")]

    @property
    def evidence(self) -> list[str]:
        """What lets a reader question a run: counts of the verifier, review page, sheets. Bundles are asked for."""
        looked = ["<results>/evidence/confirmed.csv"] if self.config["evidence"]["verdicts"] else []
        return [
            "<results>/evidence/verified.csv",
            "<results>/evidence/review/index.html",
            *self.of_models("<results>/evidence/sheets/{model}.png"),
            *looked,
        ]

    @property
    def targets(self) -> list[str]:
        """What the target `all` ends with."""
        first = [
            "<results>/table1.csv",
            "<results>/checks.txt",
            "<results>/dedup/histograms.parquet",
        ]
        return [*dict.fromkeys([*first, *self.tables, *self.figures, *self.evidence])]

    @property
    def guidances(self) -> list[float]:
        """Guidance of each ECS preset, that of the ranking preset first; each costs a network row a prompt and seed."""
        presets = self.config["blackbox"]["presets"]
        main = presets[self.config["blackbox"]["preset"]]["guidance"]
        return [main, *sorted({p["guidance"] for p in presets.values()} - {main})]

    def thresholds(self, stage: str) -> dict[str, Any]:
        """The preset of a stage that the config chooses."""
        return self.config[stage]["presets"][self.config[stage]["preset"]]

    def bundle_settings(self, wildcards: Any) -> dict[str, Any]:
        """Params function: what a bundle says of how its finding was computed, and what replays it."""
        labels, evidence = self.config["labels"], self.config["evidence"]
        sampling = pick(self.config["sampling"], "sampler spacing steps guidance")
        return {
            "sampling": {**sampling, "upscaler": self.models.upscaler(wildcards)},
            "labels": {
                **pick(labels, "preset size order mask guards"),
                "thresholds": self.thresholds("labels"),
                "seeds": self.models.seeds(wildcards),
            },
            "evidence": {"size": evidence["size"], **evidence["search"]},
            "test": evidence["test"],
        }

    @property
    def attributed_state(self) -> str:
        """Which image files a user asks about, so that an exchanged one is looked at anew."""
        place = self.config["evidence"]["attribution"]["images"]
        return folder_state(place) if place else ""

    @property
    def check_settings(self) -> dict[str, Any]:
        """What the checks of a run's results need to know of it."""
        labels = self.config["labels"]
        return {
            "results": self.config["results"],
            "models": self.models.checked_rows,
            "shards": self.data.shards,
            "thresholds": self.thresholds("labels"),
            **pick(labels, "seeds decisions"),
            "known": self.models.known,
        }
