"""The default config, and copies of the models sheet with changed cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from overlays import change

from verbatim.config.data_files import DataFiles, WorldSource
from verbatim.config.run import Run
from verbatim.config.sheet import read_models, select_models
from verbatim.inputs.layouts import Source

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config() -> dict[str, Any]:
    """config/config.yaml."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Write the networks of config/models_train.tsv with changed cells: (model, column, value)."""

    def write(*cells: tuple[str, str, str]) -> Path:
        table = pd.read_csv(
            ROOT / "config" / "models_train.tsv", sep="\t", dtype=str, keep_default_na=False
        )
        table = table[table["family"].ne("images")].reset_index(drop=True)
        for model, column, value in cells:
            table.loc[table.model == model, column] = value
        table.to_csv(tmp_path / "models.tsv", sep="\t", index=False)
        return tmp_path / "models.tsv"

    return write


@pytest.fixture
def make(config: dict[str, Any], sheet: Callable[..., Path]) -> Callable[..., Run]:
    """A run of the training sheet with changed config keys; `cells` change the sheet."""

    def build(
        *cells: tuple[str, str, str], select: tuple[str, ...] = (), world: bool = True, **keys: Any
    ) -> Run:
        changed = config
        for key, value in keys.items():
            changed = change(changed, key.replace("__", "."), value)
        source = WorldSource.of_rows(20, 10)
        if not world:
            changed = change(changed, "inputs.source", "laion")
            source = Source(("00000",), ("e.npy",), ("m.parquet",), False)
        models = read_models(sheet(*cells), ROOT)
        data = DataFiles(changed, source, "images", [], "clip")
        return Run.of(changed, models, select_models(models, list(select)), data)

    return build
