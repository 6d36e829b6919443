"""What the models sheet says of a model, as inputs and params of rules.

An input function takes `wildcards`, whose `model` is a row of the sheet, and returns a path, a list of paths, or
names with paths for `unpack`. An empty list says that a rule needs no such file for this model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.config import sheet as sheets
from verbatim.config.endpoints import read_endpoint
from verbatim.config.sources import find_manifest, images_state
from verbatim.models import checkpoint, load_upscaler

Paths = str | list[str]


def _index(source: str) -> Paths:
    """model_index.json of a local folder, or a single file; nothing of a hub id, which lies in the cache."""
    if checkpoint.is_weights_file(source):
        return source
    index = Path(source) / "model_index.json"
    return str(index) if source and index.is_file() else []


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class ModelFiles:
    """The models of a run.

    Attributes
    ----------
    config
        The checked configuration.
    sheet
        All rows of the models sheet, indexed by model.
    selected
        The rows of `select_models`.
    rows
        Paths of the rows tables of the training data, which candidates are found in.
    """

    config: Mapping[str, Any]
    sheet: pd.DataFrame
    selected: pd.DataFrame
    rows: Sequence[str]

    def _cell(self, model: str, column: str) -> str:
        return str(self.sheet.loc[model, column])

    def _where(self, column: str, value: str) -> list[str]:
        """Selected models with this cell, in the order of the sheet."""
        return list(self.selected.index[self.selected[column] == value])

    @property
    def known(self) -> list[str]:
        """All models of the sheet."""
        return list(self.sheet.index)

    @property
    def all(self) -> list[str]:
        """The selected models."""
        return list(self.selected.index)

    @property
    def attacked(self) -> list[str]:
        """Selected models whose white- and black-box scores are asked for."""
        return self._where("whitebox", "yes")

    @property
    def shown(self) -> list[str]:
        """Models that a figure of the attack shows: those attacked, or all where none is."""
        return self.attacked or self.all

    @property
    def labelled_by_authors(self) -> list[str]:
        """Selected models that the authors labelled too, by `labels.authors`."""
        return [model for model in self.all if model in self.config["labels"]["authors"]]

    @property
    def authors_labels(self) -> list[str]:
        """The file of the authors' labels of each of `labelled_by_authors`."""
        return [self.config["labels"]["authors"][model] for model in self.labelled_by_authors]

    @property
    def closed(self) -> list[str]:
        """Models of the sheet of which only images are known."""
        return sheets.closed_models(self.sheet)

    @property
    def asked(self) -> list[str]:
        """Models of the sheet that are asked for images over HTTP."""
        return sheets.asked_models(self.sheet)

    def _pattern(self, models: Sequence[str]) -> str:
        """Pattern of the wildcard `model` that these models fit alone."""
        return "|".join(models) or "(?!)"

    @property
    def run_here(self) -> str:
        """Pattern of the wildcard `model`: models that generate here."""
        return self._pattern([model for model in self.known if model not in self.closed])

    @property
    def images_only(self) -> str:
        """Pattern of the wildcard `model`: closed systems."""
        return self._pattern(self.closed)

    @property
    def asked_for(self) -> str:
        """Pattern of the wildcard `model`: closed systems that are asked over HTTP."""
        return self._pattern(self.asked)

    @property
    def listed(self) -> str:
        """Pattern of the wildcard `model`: closed systems whose prompts a manifest lists."""
        return self._pattern([model for model in self.closed if model not in self.asked])

    @property
    def prompted(self) -> str:
        """Pattern of the wildcard `model`: models that generate what prompts are selected for, here or over HTTP."""
        return self._pattern([model for model in self.known if model not in self.listed.split("|")])

    def names(self, models: Sequence[str]) -> dict[str, str]:
        """Model -> its name in Table 1."""
        return {model: self._cell(model, "name") for model in models}

    @property
    def table_rows(self) -> list[dict[str, str]]:
        """What Table 1 says of each selected model beside the counts."""
        columns = ("model", "name", "deduplicated")
        return [{column: self._cell(m, column) for column in columns} for m in self.all]

    @property
    def references(self) -> dict[str, str]:
        """Name of each selected model in Table 1 -> the name that the paper gives it."""
        return {self._cell(m, "name"): self._cell(m, "reference") for m in self.all}

    @property
    def roles(self) -> dict[str, Any]:
        """What each selected model stands for in the findings that `check_world` lists."""
        dedup = [m for m in self.attacked if self._cell(m, "deduplicated") == "yes"]
        full = [m for m in self.attacked if m not in dedup]
        rest = [m for m in self.all if m not in full[:1] + dedup[:1]]
        tuned = [m for m in rest if self._cell(m, "deduplicated") == "no"]
        return {
            "duplicated": full[0] if full else "",
            "deduplicated": dedup[0] if dedup else "",
            "tuned": tuple(tuned),
            "others": tuple(m for m in rest if m not in tuned),
        }

    @property
    def checked_rows(self) -> list[dict[str, Any]]:
        """What the checks of a run's results need to know of each selected model."""
        return [
            {
                "model": model,
                "name": self._cell(model, "name"),
                "attacked": model in self.attacked,
                "trained_on_kept": model in self.trained_on_kept,
                "closed": model in self.closed,
            }
            for model in self.all
        ]

    @property
    def trained_on_kept(self) -> list[str]:
        """Selected models that this run trains on the rows that deduplication keeps."""
        here = self._where("source", "train")
        return [model for model in here if self._cell(model, "training") == "deduplicated"]

    def folder(self, wildcards: Any) -> Paths:
        """Input function: model_index.json of a trained or a local folder, or a single file."""
        if self._cell(wildcards.model, "source") == "train":
            return f"<results>/world/models/{wildcards.model}/model_index.json"
        return _index(self._cell(wildcards.model, "source"))

    def checked(self, wildcards: Any) -> Paths:
        """Input function: what is loaded of a model that is not trained here, with digests.

        It is known before any work is done for the model. Nothing is loaded of a closed system.
        """
        made_here = self._cell(wildcards.model, "source") == "train"
        if made_here or wildcards.model in self.closed:
            return []
        return f"<results>/inputs/models/{wildcards.model}.tsv"

    def loaded(self, wildcards: Any) -> dict[str, Paths]:
        """Input function for `unpack`: what must exist before a model is loaded, and what tells its state.

        `model` is `folder`, `weights` are the digests of a model that is trained here, and `checked` those of another.
        """
        trained = self._cell(wildcards.model, "source") == "train"
        weights = f"<results>/world/models/{wildcards.model}/weights.sha256"
        return {
            "model": self.folder(wildcards),
            "weights": weights if trained else [],
            "checked": self.checked(wildcards),
        }

    def upscaler_folder(self, wildcards: Any) -> Paths:
        """Input function: as `folder`, of the second stage of a model; nothing without one."""
        source = self._cell(wildcards.model, "upscaler")
        if source == "train":
            return f"<results>/world/upscalers/{wildcards.model}/model_index.json"
        return _index(source)

    def loaded_stages(self, wildcards: Any) -> dict[str, Paths]:
        """Input function for `unpack`: `loaded`, and the same of the second stage."""
        source = self._cell(wildcards.model, "upscaler")
        weights = f"<results>/world/upscalers/{wildcards.model}/weights.sha256"
        checked = f"<results>/inputs/upscalers/{wildcards.model}.tsv"
        return {
            **self.loaded(wildcards),
            "upscaler": self.upscaler_folder(wildcards),
            "upscaler_weights": weights if source == "train" else [],
            "upscaler_checked": checked if source not in ("", "train") else [],
        }

    def loading(self, wildcards: Any) -> dict[str, str]:
        """Params function: the cells of the sheet that decide how the model is loaded."""
        return sheets.loading_row(self.sheet, wildcards.model)

    def upscaler(self, wildcards: Any) -> dict[str, str | int | float]:
        """Params function: source and settings of the second stage; empty for a model of one stage."""
        return sheets.upscaler_row(self.sheet, wildcards.model, self.config["sampling"])

    def state(self, wildcards: Any) -> Any:
        """Params function: which files would be loaded, so that weights that were exchanged are checked again."""
        return checkpoint.checkpoint_state(self.sheet.loc[wildcards.model].to_dict())

    def upscaler_state(self, wildcards: Any) -> Any:
        """Params function: as `state`, of the second stage."""
        source, family, revision = (
            self._cell(wildcards.model, column)
            for column in ("upscaler", "family", "upscaler_revision")
        )
        return load_upscaler.upscaler_state(source, family, revision or None)

    def manifest(self, wildcards: Any) -> str:
        """Input function: the manifest of a closed system's images."""
        if wildcards.model in self.asked:
            return f"<results>/labels/{wildcards.model}/asked/manifest.jsonl"
        if self._cell(wildcards.model, "source") == "train":
            return "<results>/world/closed/manifest.csv"
        return str(find_manifest(self._cell(wildcards.model, "source")))

    def images_state(self, wildcards: Any, input: Any) -> str:
        """Params function: names, sizes and times of the images beside the manifest; those that were asked for it names
        with their digests, and those that are drawn here come with it.
        """
        if wildcards.model in self.asked or self._cell(wildcards.model, "source") == "train":
            return ""
        return images_state(input.manifest)

    def is_asked(self, wildcards: Any) -> bool:
        """Params function: whether the model is a closed system that is asked over HTTP."""
        return wildcards.model in self.asked

    def endpoint(self, wildcards: Any) -> dict[str, Any]:
        """Params function: the description of an endpoint, without its key."""
        return read_endpoint(self._cell(wildcards.model, "source"))

    def answers(self, wildcards: Any) -> str:
        """Params function: the folder of everything that an endpoint has answered; see `verbatim.io.paid_answers`."""
        return f"{self.config['results']}/labels/{wildcards.model}/answers"

    def dcs(self, wildcards: Any) -> Paths:
        """Input function: the white-box scores of a model; none of a closed system."""
        if wildcards.model in self.closed:
            return []
        return f"<results>/whitebox/{wildcards.model}/scores.parquet"

    def seeds(self, wildcards: Any) -> list[int]:
        """Params function: seeds of a model's generations; none of a closed system, whose manifest has them."""
        return [] if wildcards.model in self.closed else self.config["labels"]["seeds"]

    def candidates(self, wildcards: Any) -> str:
        """Params function: the sheet's word for where candidates come from."""
        return self._cell(wildcards.model, "candidates")

    def candidate_files(self, wildcards: Any) -> dict[str, Paths]:
        """Input function for `unpack`: what a model's candidates are selected from."""
        candidates, model = self.candidates(wildcards), wildcards.model
        sources = sheets.candidate_models(candidates)
        if candidates == "own":
            return {
                "dcs": f"<results>/whitebox/{model}/scores.parquet",
                "ecs": f"<results>/blackbox/{model}/scores.parquet",
                "clique": f"<results>/postfilter/{model}/scores.parquet",
            }
        if candidates == "authors":
            return {
                "authors": self.config["labels"]["authors"][model],
                "rows": list(self.rows),
            }
        if candidates == "manifest":
            return {"rows": list(self.rows)}
        if candidates.startswith("top:"):
            return {"ecs": f"<results>/blackbox/{sources[0]}/scores.parquet"}
        if candidates.startswith("same:"):
            return {"same": f"<results>/labels/{sources[0]}/selection.parquet"}
        return {"labels": [f"<results>/labels/{source}/labels.parquet" for source in sources]}

    @property
    def twins(self) -> list[tuple[str, str]]:
        """Selected models that are asked over HTTP for the prompts of another row, each with that row's model."""
        asked = [model for model in self.all if model in self.asked]
        words = [(model, self._cell(model, "candidates")) for model in asked]
        return [(model, word[5:]) for model, word in words if word.startswith("same:")]

    def of_twins(self, pattern: str, direct: bool) -> list[str]:
        """A file of each of `twins`, of the model that is asked or of the one by direct calls; `{model}` in the pattern."""
        return [pattern.replace("{model}", pair[direct]) for pair in self.twins]

    def found_in(self, wildcards: Any) -> list[str]:
        """Params function: models whose extracted prompts are candidates of this one."""
        candidates = self.candidates(wildcards)
        found = candidates.startswith("found:")
        return sheets.candidate_models(candidates) if found else []

    def n_candidates(self, wildcards: Any) -> int:
        """Params function: how many prompts a model takes from each ranking."""
        transferred = self.candidates(wildcards).startswith("top:")
        return int(self.config["labels"]["n_transfer" if transferred else "n_prompts"])
