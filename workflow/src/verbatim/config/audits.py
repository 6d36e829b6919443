"""What an audit is planned for: its model as a row of the sheet, and inputs and params of its rules; known before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from verbatim.config.endpoints import SUFFIXES, read_endpoint
from verbatim.config.folder_state import folder_state
from verbatim.config.prompt_plan import shard_names
from verbatim.config.run import Run
from verbatim.config.settings import ConfigError, load_schema
from verbatim.config.sheet import TWO_STAGES
from verbatim.models.endpoint import Endpoint

AUDITED = "audited"  # key of a model that is no row of the sheet
NEAREST = "nearest"  # audit.captions for those of the nearest training images
WORLD = "world"  # audit.images for a sample of the embedded world


def add_audited(
    sheet: pd.DataFrame, audit: Mapping[str, Any], base: str | Path
) -> tuple[pd.DataFrame, str]:
    """The sheet with a row for the model of an audit, and its key.

    Parameters
    ----------
    sheet : from `read_models`. audit : the config's block; `model` is a key of the sheet, or what its column `source` takes;
    the description of an endpoint is of family `api` whatever `family` says.
    base : top folder of the repository.

    Raises
    ------
    ConfigError
        The model is a closed system of which only images are known (family `images`), has two stages, or cannot be a row of
        the sheet; or the description of its endpoint cannot be used.
    """
    from jsonschema import Draft202012Validator

    model = str(audit["model"])
    if model in sheet.index:
        _check_family(model, str(sheet.loc[model, "family"]), str(sheet.loc[model, "source"]))
        return sheet, model
    if AUDITED in sheet.index:
        raise ConfigError(
            f"{AUDITED!r} is a key of the models sheet, and the key that an audit gives a model that is none; rename it"
        )
    described = Path(model).suffix in SUFFIXES  # of an endpoint; no checkpoint has such a name
    row = {name: "" for name in sheet.columns} | {
        "model": AUDITED, "name": Path(model).name or model, "family": "api" if described else audit["family"],
        "source": model,
        "revision": audit["revision"], "dtype": audit["dtype"], "deduplicated": "unknown", "candidates": "own",
        "whitebox": "no", "memory": "full",
    }  # fmt: skip
    _check_family(model, row["family"], model)
    if row["family"] in TWO_STAGES:
        raise ConfigError(
            f"config: audit.family is {row['family']!r}, whose generations are made in two stages; write a row with its "
            "upscaler into the models sheet, and name its key in audit.model"
        )
    problems = [
        f"config: audit.{'.'.join(map(str, err.absolute_path))}: {err.message}"
        for err in Draft202012Validator(load_schema("models.schema.json", base)).iter_errors(row)
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    more = pd.DataFrame([row], index=pd.Index([AUDITED], name=sheet.index.name))
    return pd.concat([sheet, more[sheet.columns]]), AUDITED


def _check_family(model: str, family: str, source: str) -> None:
    """Refuse a system of which there are only images, and an endpoint whose description is faulty; raises ConfigError."""
    if family == "api":
        read_endpoint(source)
    if family == "images":
        raise ConfigError(
            f"config: audit.model is {model!r}, a closed system of family 'images': its images are given, and an audit asks a model for the "
            "caption of each of the user's images; name a model that can be run here, or one of family 'api', which is asked "
            "over HTTP"
        )


def planned_captions(audit: Mapping[str, Any], count: int) -> int:
    """Most captions that an audit generates from: one an image, and reference captions up to `least_prompts`.

    count : images of the folder, or of the sample.
    """
    return max(1, count, int(audit["least_prompts"]))


def rows_a_generation(sampler: str, steps: int, guidance: float) -> int:
    """Network rows of one generation: Heun's method calls twice a step but for the last, guidance doubles it."""
    calls = 2 * steps - 1 if sampler == "heun" else steps
    return calls * (1 if guidance == 1 else 2)


def describe_most(captions: int, generations: int, endpoint: Endpoint) -> str:
    """The most images that an audit asks a closed system for, their price and the least time, in words."""
    images = captions * generations
    price = f" at {endpoint.price:g} {endpoint.currency} = {images * endpoint.price:,.2f} {endpoint.currency}"
    lacking = images - endpoint.budget
    return (
        f"An audit of at most {captions:,} captions asks {endpoint.url} for {images:,} images at most"
        + (price if endpoint.price else "")
        + f", in {images / endpoint.images_per_minute:,.0f} minutes at least; the budget is {endpoint.budget:,} images"
        + (f", {lacking:,} too few if every caption is asked" if lacking > 0 else "")
        + ". What is kept of an earlier run costs nothing."
    )


def describe_most_rows(captions: int, generations: int, rows: int, seeds: int) -> str:
    """The most network rows that an audit takes, in words. rows : of one generation. seeds : of the scores."""
    images = captions * generations
    return (
        f"An audit of at most {captions:,} captions generates {images:,} images at most and takes "
        f"{images * rows + captions * seeds:,} network rows; generate_audit says how many minutes that is."
    )


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class Audit:
    """The audit of a run: what its rules ask for. Its rules have no wildcard `model`.

    Attributes
    ----------
    run
        The run, whose sheet has the audited model.
    model
        Key of that model.
    count
        Images of the folder, at most.
    """

    run: Run
    model: str
    count: int

    @property
    def _block(self) -> Mapping[str, Any]:
        return self.run.config["audit"]

    @property
    def _audited(self) -> SimpleNamespace:
        return SimpleNamespace(model=self.model)

    @property
    def _of_world(self) -> bool:
        return self._block["images"] == WORLD

    @property
    def sample(self) -> str | list[str]:
        """The sample of the embedded world, or nothing where a folder is named."""
        return "<results>/world/sample" if self._of_world else []

    @property
    def captions(self) -> str | list[str]:
        """The table of captions, the user's or of the nearest training images; or nothing."""
        if self._block["captions"] == NEAREST:
            return "<results>/audit/captions.jsonl"
        return self._block["captions"] or []

    @property
    def state(self) -> str:
        """Which files the folder has, so that an exchanged image is looked at anew."""
        return "" if self._of_world else folder_state(self._block["images"])

    @property
    def targets(self) -> list[str]:
        """What an audit ends with; verdicts against truth where that is known."""
        files = ["report.html", "passed.txt", "bundle.head"]
        truth = ["<results>/tables/audit.csv"] if self._of_world else []
        return [*(f"<results>/audit/{file}" for file in files), *truth]

    @property
    def shards(self) -> list[str]:
        """Names of the shards of its captions, one at least; the last takes what is beyond the plan."""
        return shard_names(
            planned_captions(self._block, self.count), self._block["prompts_a_shard"]
        )

    @property
    def asked(self) -> bool:
        """Whether the model is a closed system behind HTTP, which is asked for its generations."""
        return self.model in self.run.models.asked

    def of_shards(self, suffix: str) -> list[str]:
        """The file with this suffix of every shard; of a closed system the one of all that it was asked for."""
        if self.asked:
            return [f"<results>/audit/asked{suffix}"]
        return [f"<results>/audit/shards/{shard}{suffix}" for shard in self.shards]

    def is_last(self, wildcards: Any) -> bool:
        """Params function: whether `wildcards.shard` is the last that was planned."""
        return wildcards.shard == self.shards[-1]

    @property
    def kept(self) -> str:
        """The folder of finished work; see `verbatim.io.result_cache`."""
        return f"{self.run.config['results']}/audit/kept"

    @property
    def scores(self) -> str | list[str]:
        """First-step scores of the captions; nothing of a closed system, whose network nobody here has."""
        return [] if self.asked else "<results>/audit/scores.parquet"

    @property
    def scores_cost(self) -> str | list[str]:
        """What the scores cost; nothing of a closed system."""
        return [] if self.asked else "<results>/audit/scores.cost.parquet"

    @property
    def tokens(self) -> str | list[str]:
        """Which words trigger what was given back; nothing of a closed system, or where audit.tokens does not ask for it."""
        asked = self._block["tokens"] and not self.asked
        return "<results>/audit/tokens.parquet" if asked else []

    @property
    def answers(self) -> str:
        """The folder of everything that an endpoint has answered; see `verbatim.io.paid_answers`."""
        return f"{self.run.config['results']}/audit/answers"

    def endpoint(self, wildcards: Any) -> dict[str, Any]:
        """Params function: the description of the endpoint of a closed system, without its key."""
        return read_endpoint(str(self.run.models.sheet.loc[self.model, "source"]))

    @property
    def planned_cost(self) -> str:
        """The most that this audit asks of its model, for the plan of jobs: before anything is read or asked."""
        captions = planned_captions(self._block, self.count)
        if self.asked:
            return describe_most(
                captions, self._block["generations"], Endpoint(**self.endpoint(None))
            )
        seeds = len(self.run.config["whitebox"]["seeds"])
        return describe_most_rows(
            captions, self._block["generations"], self.rows_a_generation, seeds
        )

    @property
    def sampling(self) -> dict[str, Any]:
        """How generations are sampled: sampler, steps, guidance, and whether a seed decides one."""
        if not self.asked:
            return {**self.run.pick("sampling", "sampler steps guidance"), "seeded": True}
        endpoint = Endpoint(**self.endpoint(None))
        named = f", model {endpoint.model}" if endpoint.model else ""
        return {
            "sampler": f"over HTTP, {endpoint.kind} at {endpoint.url}{named}", "steps": endpoint.steps, "guidance": endpoint.guidance,
            "seeded": "seed" in endpoint.takes,
        }  # fmt: skip

    @property
    def rows_a_generation(self) -> int:
        """Network rows of one generation of the model's first stage; 0 of a closed system, which nobody counts."""
        if self.asked:
            return 0
        return rows_a_generation(**self.run.pick("sampling", "sampler steps guidance"))

    def loaded(self, wildcards: Any) -> dict[str, Any]:
        """Input function for `unpack`: as `ModelFiles.loaded`."""
        return self.run.models.loaded(self._audited)

    def loaded_stages(self, wildcards: Any) -> dict[str, Any]:
        """Input function for `unpack`: as `ModelFiles.loaded_stages`."""
        return self.run.models.loaded_stages(self._audited)

    @property
    def loading(self) -> dict[str, str]:
        """The cells of the sheet that decide how the model is loaded."""
        return self.run.models.loading(self._audited)

    @property
    def upscaler(self) -> dict[str, str | int | float]:
        """Source and settings of the model's second stage; empty for a model of one stage."""
        return self.run.models.upscaler(self._audited)

    @property
    def bundle_settings(self) -> dict[str, Any]:
        """`Run.bundle_settings` of the model, with the seeds and the false discovery rate of an audit."""
        settings = self.run.bundle_settings(self._audited)
        labels = settings["labels"] | {"seeds": list(range(self._block["generations"]))}
        test = settings["test"] | {"alpha": self._block["alpha"]}
        if self.asked:
            settings = settings | {"sampling": self.sampling}
        return settings | {"labels": labels, "test": test}
