"""The models sheet: read, checked, and asked for what its rows say of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.config.checkpoints import OPTIONAL, checkpoint_problems
from verbatim.config.settings import ConfigError, explain, load_schema
from verbatim.io.user_tables import UserTableError, read_user_table

# columns that decide what is loaded, and how
LOADING = ("model", "family", "source", "revision", "dtype", "memory")
UPSCALER = ("upscaler", "upscaler_revision")  # columns that name a second stage
CLOSED_FAMILIES = ("images", "api")  # systems whose network nobody here has
TWO_STAGES = {"if": "DeepFloyd/IF-II-L-v1.0"}  # families that have one, and a hub id of it
# models that a world trains and that are no rows of a sheet; see `training_row`
BASE, CLOSED = "base", "closed"
WORLD_MODELS = {
    BASE: {"family": "sd", "init": "", "training": "single"},
    CLOSED: {"family": "sd", "init": BASE, "training": "distinct"},
}


def read_models(path: str | Path, base: str | Path) -> pd.DataFrame:
    """The models sheet, checked, indexed by `model`; every cell a string.

    Raises ConfigError naming the file, the row and the column.
    """
    from jsonschema import Draft202012Validator

    try:
        table = read_user_table(path, comments=True).without_empty_rows()
    except UserTableError as err:
        raise ConfigError(f"{err}. It is the models sheet (`models` in the config)") from err
    sheet = table.frame.fillna("").astype(str)
    # asked for only where a model is too large for its device, or has two stages
    for column in ("memory", *UPSCALER, *OPTIONAL):
        if column not in sheet.columns:
            sheet[column] = ""
    sheet["memory"] = sheet["memory"].replace("", "full")
    schema = load_schema("models.schema.json", base)
    missing = [c for c in schema["required"] if c not in sheet.columns]
    if missing:
        raise ConfigError(
            f"{path}: the columns {missing} are missing; read as {table.what} it has {', '.join(sheet.columns)}"
        )
    validator = Draft202012Validator(schema)
    problems = [
        explain(err, table.where(i))
        for i, row in enumerate(sheet.to_dict("records"))
        for err in validator.iter_errors({str(k): v for k, v in row.items()})
    ]
    for i, row in enumerate(sheet.to_dict("records")):
        problems += [
            f"{table.where(i)}: column {column}: {cell!r} holds a character that cannot be seen; type the cell again"
            for column, cell in row.items()
            if not cell.isprintable()
        ]
    twice = sheet.model[sheet.model.duplicated()].tolist()
    if twice:
        problems.append(f"{path}: {twice} stand twice; a model's key is used once")
    known = set(sheet.model)
    for row in sheet.to_dict("records"):
        named = candidate_models(row["candidates"]) + (
            [row["init"]] if row["init"] not in ("", BASE) else []
        )
        problems += [
            f"{path}: {row['model']} refers to {other!r}, which is no row of the sheet"
            for other in named
            if other not in known
        ]
        if row["source"] == "train" and row["family"] != "images" and not row["training"]:
            problems.append(f"{path}: {row['model']} is trained here, so `training` must be given")
        wrong = _closed_problems(row) + _upscaler_problems(row) + checkpoint_problems(row)
        problems += [f"{path}: {row['model']} {problem}" for problem in wrong]
    problems += [f"{path}: {problem}" for problem in _circles(sheet)]
    if problems:
        raise ConfigError("\n".join(problems))
    return sheet.set_index("model", drop=False)


def _circles(sheet: pd.DataFrame) -> list[str]:
    """Models whose weights start from themselves, or whose prompts are found by themselves, at once or over other models."""
    waits = sheet["candidates"].str.startswith(("found:", "same:"))
    found = sheet["candidates"].where(waits, "")
    needs = {
        "init": {model: [init] for model, init in zip(sheet["model"], sheet["init"], strict=True)},
        "candidates": dict(zip(sheet["model"], found.map(candidate_models), strict=True)),
    }
    problems = []
    for column, edges in needs.items():
        for model in edges:
            seen, left = set(), list(edges[model])
            while left and model not in seen:
                one = left.pop()
                left += [other for other in edges.get(one, ()) if one not in seen]
                seen.add(one)
            if model in seen:
                problems.append(f"{model}: {column} leads back to {model}; change one of the cells")
    return problems


def _closed_problems(row: dict[Any, str]) -> list[str]:
    """What a row of a closed system (family `images` or `api`) asks for that only a model can give."""
    if row["family"] not in CLOSED_FAMILIES:
        asks = row["candidates"] == "manifest"
        return ["has the candidates 'manifest', which only family 'images' has"] if asks else []
    asked = row["family"] == "api"
    words = (
        "top:MODEL, found:MODELS or same:MODEL" if asked else "manifest, top:MODEL or found:MODELS"
    )
    refused = ("own", "manifest", "authors") if asked else ("own", "same")
    cures = {
        "source": (asked and row["source"] == "train", "give the description of its endpoint"),
        "whitebox": (row["whitebox"] == "yes", "set it to no"),
        "candidates": (row["candidates"].partition(":")[0] in refused, f"set it to {words}"),
        "init": (row["init"] != "", "leave it empty"),
        "training": (row["training"] != "", "leave it empty"),
    }
    return [
        f"has the family {row['family']!r}, of which no network is known, so {column} cannot be "
        f"{row[column]!r}; {cure}"
        for column, (wrong, cure) in cures.items()
        if wrong
    ]


def _upscaler_problems(row: dict[Any, str]) -> list[str]:
    """What is wrong with how a row names, or fails to name, the second stage of its model."""
    upscaler, revision, family = row["upscaler"], row["upscaler_revision"], row["family"]
    if family not in TWO_STAGES:
        return [
            f"has the {column} {row[column]!r}, which only family {' or '.join(TWO_STAGES)} has; "
            "empty the cell"
            for column in UPSCALER
            if row[column]
        ]
    problems = []
    if not upscaler:
        cure = "train" if row["source"] == "train" else TWO_STAGES[family]
        problems.append(
            f"has the family {family!r}, whose generations are made in two stages, but no upscaler; "
            f"name its second stage there, e.g. {cure}"
        )
    if upscaler == "train" and row["source"] != "train":
        problems.append(
            f"has the upscaler 'train', but its source is {row['source']!r}: only beside a stage I that "
            "is trained here; give a folder or a hub id"
        )
    if revision and (not upscaler or upscaler == "train"):
        problems.append(
            f"has the upscaler_revision {revision!r}, which only a hub id has; empty the cell"
        )
    return problems


def trained_models(sheet: pd.DataFrame) -> list[str]:
    """Models whose network is trained here. A closed system of this source has none: the world draws its images."""
    here = sheet["source"].eq("train") & ~sheet["family"].isin(CLOSED_FAMILIES)
    return list(sheet.index[here])


def closed_models(sheet: pd.DataFrame) -> list[str]:
    """Models of which only images are known: they are labelled, and nothing is loaded for them."""
    return list(sheet.index[sheet["family"].isin(CLOSED_FAMILIES)])


def asked_models(sheet: pd.DataFrame) -> list[str]:
    """Closed systems that are asked for their images over HTTP."""
    return list(sheet.index[sheet["family"] == "api"])


def candidate_models(candidates: str) -> list[str]:
    """Models whose results feed a row: [] for `own`, ["sd1"] for `top:sd1`, and so on."""
    return candidates.partition(":")[2].split(",") if ":" in candidates else []


def select_models(sheet: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    """Rows of `wanted`, in the sheet's order; all for an empty list."""
    unknown = [m for m in wanted if m not in sheet.index]
    if unknown:
        raise ConfigError(
            f"config: select_models has {unknown}; rows of the sheet: {', '.join(sheet.index)}"
        )
    return sheet[sheet.index.isin(wanted)] if wanted else sheet


def training_row(sheet: pd.DataFrame, model: str) -> dict[str, str]:
    """What a model that is trained here is trained on: family, init and training.

    A world trains two models that are no rows of the sheet: BASE, and CLOSED, which draws the images
    that the world's closed system is known by.
    """
    if model in WORLD_MODELS:
        return WORLD_MODELS[model]
    return {name: str(sheet.loc[model, name]) for name in ("family", "init", "training")}


def loading_row(sheet: pd.DataFrame, model: str) -> dict[str, str]:
    """What a job needs to load a model, and nothing else: another cell of the row must not rerun it."""
    cells = {name: str(sheet.loc[model, name]) for name in (*LOADING, *OPTIONAL)}
    return {name: cell for name, cell in cells.items() if cell or name in LOADING}


def upscaler_row(
    sheet: pd.DataFrame, model: str, sampling: dict[str, Any]
) -> dict[str, str | int | float]:
    """What a job needs to load and run a model's second stage; empty for a model of one stage.

    sampling : the config's block, whose key `upscaler` says how the second stage generates.
    """
    source, revision = (str(sheet.loc[model, column]) for column in UPSCALER)
    return {"source": source, "revision": revision, **sampling["upscaler"]} if source else {}


def needed_models(sheet: pd.DataFrame, selected: pd.DataFrame) -> pd.DataFrame:
    """Rows of `selected`, and of the models that their candidates or their training come from."""
    needed: set[str] = set()
    left = list(selected.index)
    while left:
        model = left.pop()
        if model not in needed:
            needed.add(model)
            row = sheet.loc[model]
            left += candidate_models(row["candidates"])
            goes_on = row["source"] == "train" and row["init"] not in ("", BASE)
            left += [row["init"]] if goes_on else []
    return sheet[sheet.index.isin(needed)]
