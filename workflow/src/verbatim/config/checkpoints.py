"""What the models sheet says of a checkpoint beside its source: a single file, a LoRA, and what a file leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from verbatim.models.checkpoint import is_weights_file

# columns that may be left out; an empty cell says nothing, and reruns nothing
OPTIONAL = ("lora", "lora_scale", "prediction", "configs")
ONE_FILE = ("prediction", "configs")  # of a single file alone
ADAPTED = ("sd", "sdxl", "flow")  # families whose networks a LoRA can change


def checkpoint_problems(row: Mapping[Any, str]) -> list[str]:
    """What is wrong with a row's optional columns: words that follow the model's name."""
    problems = [
        f"has the {column} {row[column]!r}, which is for a single .safetensors file; empty the cell"
        for column in ONE_FILE
        if row[column] and not is_weights_file(row["source"])
    ]
    if row["lora_scale"] and not row["lora"]:
        problems.append(
            f"has the lora_scale {row['lora_scale']!r}, but no lora; name its file there, or empty the cell"
        )
    if row["lora"] and row["family"] not in ADAPTED:
        problems.append(
            f"has a lora, which only the families {', '.join(ADAPTED)} take, and the family {row['family']!r}; empty "
            "the cell"
        )
    if row["lora"] and row["source"] == "train":
        problems.append(
            "has a lora, but is trained here; give a folder, a hub id or a file as source"
        )
    return problems


def file_problems(needed: pd.DataFrame, where: str) -> list[str]:
    """Files of weights in the columns `source` and `lora` that are not there or may not be opened, with the cure.

    needed : rows of the sheet that are used. where : the sheet's name, for the messages.
    """
    from pathlib import Path

    from verbatim.models.checkpoint import check_weights_file
    from verbatim.models.hub import ModelFolderError

    problems = []
    for row in needed[~needed["family"].isin(["images", "api"])].to_dict("records"):
        for column in ("source", "lora"):
            if row[column] and (column == "lora" or is_weights_file(row[column])):
                try:
                    check_weights_file(Path(row[column]), column)
                except ModelFolderError as err:
                    problems.append(f"{where}: {row['model']}: {err}")
    return problems
