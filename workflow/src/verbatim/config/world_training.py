"""What each network of the embedded world is trained on and how, as inputs and params of rules."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from verbatim.config.sheet import BASE, WORLD_MODELS, trained_models, training_row

Paths = str | list[str]


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class WorldTraining:
    """The trainings of a run.

    Attributes
    ----------
    config
        The checked configuration.
    sheet
        All rows of the models sheet, indexed by model.
    rows
        Paths of the rows tables of the training data.
    shards
        Names of the shards of the world; none beside a user's own data.
    """

    config: Mapping[str, Any]
    sheet: pd.DataFrame
    rows: Sequence[str]
    shards: Sequence[str]

    def of_shards(self, pattern: str) -> list[str]:
        """A file of every shard of the world: `{shard}` stands for its name, `{number}` for its four digits.

        img2dataset names by the former, clip-retrieval by the latter.
        """
        return [
            pattern.replace("{shard}", shard).replace("{number}", f"{int(shard):04d}")
            for shard in self.shards
        ]

    def of_models(self, pattern: str, models: Sequence[str]) -> list[str]:
        """A file of each of these models; `{model}` in the pattern stands for it."""
        return [pattern.replace("{model}", model) for model in models]

    @property
    def world_settings(self) -> dict[str, Any]:
        """Every setting of the world, for the provenance of what is released: any of them changes it."""
        return dict(self.config["world"])

    @property
    def style_rows(self) -> list[str]:
        """The rows table of each style that a model may be tuned to."""
        return [
            f"<results>/world/styles/{style}/rows.parquet"
            for style in self.config["world"]["styles"]
        ]

    @property
    def of_sheet(self) -> list[str]:
        """Models of the sheet that are trained here."""
        return trained_models(self.sheet)

    @property
    def models(self) -> list[str]:
        """All models that are trained here: two that are no rows of the sheet, and those of the sheet."""
        return [*WORLD_MODELS, *self.of_sheet]

    @property
    def with_upscaler(self) -> list[str]:
        """Models of the sheet whose second stage is trained here."""
        return list(self.sheet.index[self.sheet["upscaler"] == "train"])

    @property
    def upscalers(self) -> list[str]:
        """Names of the second stages that are trained here."""
        return [f"{model}_upscaler" for model in self.with_upscaler]

    @property
    def released(self) -> list[str]:
        """Names of the networks of the sheet that a release holds: models, then their second stages."""
        return [*self.of_sheet, *self.upscalers]

    @property
    def logs(self) -> list[str]:
        """The log of every training that a release tells of."""
        names = ["clip", "vae", "descriptor", *self.models, *self.upscalers]
        return [f"<results>/world/training/{name}/log.parquet" for name in names]

    def seed(self, name: str) -> int:
        """Seed of one training: made of the world's and of the name, so that each network has its own."""
        return zlib.crc32(f"{self.config['world']['seed']}/{name}".encode())

    def checkpoint(self, name: str) -> str:
        """File that an unfinished training goes on from."""
        return f"{self.config['results']}/world/checkpoints/{name}.safetensors"

    def seed_of(self, wildcards: Any) -> int:
        """Params function: `seed` of a model."""
        return self.seed(wildcards.model)

    def checkpoint_of(self, wildcards: Any) -> str:
        """Params function: `checkpoint` of a model."""
        return self.checkpoint(wildcards.model)

    def upscaler_seed(self, wildcards: Any) -> int:
        """Params function: `seed` of a second stage."""
        return self.seed(f"{wildcards.model}_upscaler")

    def upscaler_checkpoint(self, wildcards: Any) -> str:
        """Params function: `checkpoint` of a second stage."""
        return self.checkpoint(f"{wildcards.model}_upscaler")

    def family(self, wildcards: Any) -> str:
        """Params function: the family of a model."""
        return training_row(self.sheet, wildcards.model)["family"]

    def data(self, wildcards: Any) -> dict[str, Paths]:
        """Input function for `unpack`: rows tables, and what filters them, by what a model is trained on."""
        training = training_row(self.sheet, wildcards.model)["training"]
        if training.startswith("style:"):
            style = training.removeprefix("style:")
            return {"rows": [f"<results>/world/styles/{style}/rows.parquet"]}
        kept = {
            "deduplicated": "<results>/dedup/kept_rows.parquet",
            "distinct": "<results>/world/distinct_rows.parquet",
            "single": "<results>/world/single_rows.parquet",
        }
        inputs: dict[str, Paths] = {"rows": list(self.rows)}
        return inputs | ({"kept_rows": kept[training]} if training in kept else {})

    def start(self, wildcards: Any) -> dict[str, Paths]:
        """Input function for `unpack`: what a training starts from.

        The shared VAE for a latent model, the text encoder for a pixel model, another model for one that goes on.
        """
        row = training_row(self.sheet, wildcards.model)
        inputs: dict[str, Paths] = {}
        if row["family"] == "sd":
            inputs["vae"] = "<results>/world/vae/config.json"
            inputs["vae_weights"] = "<results>/world/vae/diffusion_pytorch_model.safetensors"
        if row["family"] == "if":
            inputs["text"] = "<results>/world/t5/text_encoder/config.json"
            inputs["text_weights"] = "<results>/world/t5/weights.sha256"
        if row["init"]:
            folder = f"<results>/world/models/{row['init']}"
            inputs["init"] = f"{folder}/model_index.json"
            inputs["init_weights"] = f"{folder}/weights.sha256"
        return inputs

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """Params function: the config block of a training: the family's, with what `base` or `finetune` changes."""
        world = self.config["world"]
        row = training_row(self.sheet, wildcards.model)
        found = dict(world[row["family"]])
        if wildcards.model == BASE:
            found |= world["base"]
        elif row["init"] not in ("", BASE):
            found |= {k: v for k, v in world["finetune"].items() if k != "images"}
        return found
