"""The default config, and copies of the models sheet with changed cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config() -> dict[str, Any]:
    """config/config.yaml."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Write a copy of config/models_train.tsv with changed cells: (model, column, value)."""

    def write(*cells: tuple[str, str, str]) -> Path:
        table = pd.read_csv(
            ROOT / "config" / "models_train.tsv", sep="\t", dtype=str, keep_default_na=False
        )
        for model, column, value in cells:
            table.loc[table.model == model, column] = value
        table.to_csv(tmp_path / "models.tsv", sep="\t", index=False)
        return tmp_path / "models.tsv"

    return write
