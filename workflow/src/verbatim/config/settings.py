"""Reads and checks the config and the sheets; an error names the key, the value, the file and the cure."""

from __future__ import annotations

import contextlib
import difflib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.config.old_keys import cure_of
from verbatim.io.user_tables import (
    MANIFEST,
    UserTableError,
    check_columns,
    count_rows,
    read_user_table,
)

# columns that decide what is loaded, and how
LOADING = ("model", "family", "source", "revision", "dtype", "memory")
MOVED = {
    "evidence.bundle": "privacy (images: full, blurred or none; only: prompt_ids)"
}  # key -> where it is
UPSCALER = ("upscaler", "upscaler_revision")  # columns that name a second stage
TWO_STAGES = {"if": "DeepFloyd/IF-II-L-v1.0"}  # families that have one, and a hub id of it
# models that a world trains and that are no rows of a sheet; see `training_row`
BASE, CLOSED = "base", "closed"
WORLD_MODELS = {
    BASE: {"family": "sd", "init": "", "training": "single"},
    CLOSED: {"family": "sd", "init": BASE, "training": "deduplicated"},
}
RELEASED = "workflow/resources/world"  # the embedded world's checkpoints
RANKINGS = 3  # DCS, ECS, cliques: each gives a model with candidates `own` its best prompts


class ConfigError(ValueError):
    """The experiment that is asked for cannot be run as written."""


def _schema(name: str, base: str | Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(base) / "workflow/schemas" / name).read_text())
    return data


def _explain(err: Any, where: str) -> str:
    """One sentence for one finding of jsonschema."""
    key = ".".join(str(p) for p in err.absolute_path)
    if err.validator == "additionalProperties":
        known = sorted(err.schema.get("properties", {}))
        unknown = sorted(k for k in map(str, err.instance) if k not in known)
        parts = [
            f"{name!r} is no known key{_cure(name, err.instance[k], known)}"
            for k in unknown
            for name in [".".join(filter(None, (key, k)))]
        ]
        return f"{where}: " + "; ".join(parts)
    if err.validator == "required":
        return f"{where}: {key or 'top level'}: {err.message}"
    what = err.schema.get("description", "")
    return f"{where}: {key} is {err.instance!r}: {err.message}" + (f" [{what}]" if what else "")


def _cure(name: str, value: Any, known: list[str]) -> str:
    """What to write instead of an unknown key, `name` in full, with its value; `known`: the keys of its block."""
    if cure := cure_of(name, value):
        return f"; {cure}"
    near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
    return f" (did you mean {near[0]!r}?)" if near else f"; known: {', '.join(known)}"


def read_numbers(config: dict[str, Any], base: str | Path) -> None:
    """Turn text into numbers and truth values where the schema asks for them, in place.

    Snakemake reads what is nested in `--config world="{seed: 1}"` as text alone. What cannot be read
    so is left as it is, for `check_config` to refuse.
    """
    _read_numbers(config, _schema("config.schema.json", base))


def _read_numbers(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        for key in value:
            inner = known.get(key, other)
            if isinstance(inner, dict):
                value[key] = _read_numbers(value[key], inner)
    elif isinstance(value, list):
        value[:] = [_read_numbers(item, schema.get("items", {})) for item in value]
    elif isinstance(value, str) and schema.get("type") in ("integer", "number", "boolean"):
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(value.lower())
            return read if isinstance(read, (int, float)) else value
    return value


def check_config(config: dict[str, Any], base: str | Path) -> None:
    """Hold a config against `workflow/schemas/config.schema.json`, and presets against their lists.

    Raises ConfigError listing everything that is wrong with it.
    """
    from jsonschema import Draft202012Validator

    for key, new in MOVED.items():
        block, _, name = key.rpartition(".")
        if name in (config.get(block) or {}):
            keys = ", ".join(f"{key}.{one}" for one in config[block][name] or []) or key
            raise ConfigError(f"config: {keys} is no key: write {new} instead")
    validator = Draft202012Validator(_schema("config.schema.json", base))
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        raise ConfigError("\n".join(_explain(e, "config") for e in errors))
    for stage in ("blackbox", "postfilter", "labels"):
        preset, known = config[stage]["preset"], sorted(config[stage]["presets"])
        if preset not in known:
            raise ConfigError(f"config: {stage}.preset is {preset!r}; known: {', '.join(known)}")
    if config["privacy"]["only"] and config["privacy"]["images"] == "full":
        raise ConfigError(
            "config: privacy.only names prompts, and privacy.images is 'full': nothing of them would be hidden; set it to "
            "'blurred' or 'none', or leave privacy.only empty"
        )
    if config["whitebox"]["preset"] == "reference" and config["whitebox"]["guidance"] <= 1:
        raise ConfigError(
            f"config: whitebox.guidance is {config['whitebox']['guidance']}: preset 'reference' needs "
            "more than 1; use preset 'paper' for the conditional prediction alone"
        )


def overlay(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put over it block by block, as Snakemake does with a second --configfile."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = overlay(merged[key], value) if both else value
    return merged


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
    for column in ("memory", *UPSCALER):
        if column not in sheet.columns:
            sheet[column] = ""
    sheet["memory"] = sheet["memory"].replace("", "full")
    schema = _schema("models.schema.json", base)
    missing = [c for c in schema["required"] if c not in sheet.columns]
    if missing:
        raise ConfigError(
            f"{path}: the columns {missing} are missing; read as {table.what} it has {', '.join(sheet.columns)}"
        )
    validator = Draft202012Validator(schema)
    problems = [
        _explain(err, table.where(i))
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
        if row["source"] == "train" and not row["training"]:
            problems.append(f"{path}: {row['model']} is trained here, so `training` must be given")
        wrong = _closed_problems(row) + _upscaler_problems(row)
        problems += [f"{path}: {row['model']} {problem}" for problem in wrong]
    if problems:
        raise ConfigError("\n".join(problems))
    return sheet.set_index("model", drop=False)


def _closed_problems(row: dict[Any, str]) -> list[str]:
    """What a row of a closed system (family `images`) asks for that only a model can give."""
    if row["family"] != "images":
        asks = row["candidates"] == "manifest"
        return ["has the candidates 'manifest', which only family 'images' has"] if asks else []
    cures = {
        "source": (row["source"] == "train", "give the folder of its images"),
        "whitebox": (row["whitebox"] == "yes", "set it to no"),
        "candidates": (row["candidates"] == "own", "set it to manifest, top:MODEL or found:MODELS"),
        "init": (row["init"] != "", "leave it empty"),
        "training": (row["training"] != "", "leave it empty"),
    }
    return [
        f"has the family 'images', of which no network is known, so {column} cannot be "
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


def closed_models(sheet: pd.DataFrame) -> list[str]:
    """Models of which only images are known: they are labelled, and nothing is loaded for them."""
    return list(sheet.index[sheet["family"] == "images"])


def find_manifest(folder: str | Path) -> Path:
    """The manifest of a folder of images: the first of manifest.parquet, .csv, .tsv and .jsonl that is there."""
    files = [Path(folder) / f"manifest.{suffix}" for suffix in ("parquet", "csv", "tsv", "jsonl")]
    return next((file for file in files if file.is_file()), files[1])


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
    return {name: str(sheet.loc[model, name]) for name in LOADING}


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


def is_released(path: str) -> bool:
    """Whether a path of the config or the sheet lies in the embedded world's released folder."""
    return Path(path).as_posix().rstrip("/").startswith(RELEASED)


def check_sources(config: dict[str, Any], sheet: pd.DataFrame, selected: pd.DataFrame) -> None:
    """Refuse what only the world can give (its CLIP, captions, trainings) beside a user's own data,
    and a closed system without its manifest.

    Parameters
    ----------
    sheet, selected
        From `read_models` and `select_models`.

    Raises
    ------
    ConfigError
        Naming every key and row, and the cure.
    """
    source, needed = config["inputs"]["source"], needed_models(sheet, selected)
    lacking = [m for m in closed_models(needed) if not find_manifest(needed.source[m]).is_file()]
    if lacking:
        raise ConfigError(
            f"{config['models']}: {lacking[0]} has the family 'images', but its source "
            f"{needed.source[lacking[0]]!r} is no folder with a manifest.csv, .tsv, .jsonl or .parquet "
            "(columns file, prompt; seed and steps if known): correct source, or write one"
        )
    for model in closed_models(needed):
        try:
            check_columns(find_manifest(needed.source[model]), MANIFEST, ["file", "prompt"])
        except UserTableError as err:
            raise ConfigError(f"{config['models']}: {model}: {err}") from err
    if source == "world":
        return
    cures = {
        "clip": "name the folder of the CLIP that made the embeddings",
        "extra_prompts": "name a file of captions, or leave it empty",
    }
    problems = [
        f"config: inputs.{key} is {config['inputs'][key]!r}, which is the embedded world's, but inputs.source is "
        f"{source!r}; {cure}"
        for key, cure in cures.items()
        if config["inputs"][key] == "world" or is_released(config["inputs"][key])
    ]
    problems += [
        f"{config['models']}: {model} has the source {needed.source[model]!r}, which knows the embedded world alone, "
        f"but inputs.source is {source!r}; give it a folder or a hub id as source, or select other models "
        "(select_models, or another sheet in `models`)"
        for model in needed.index
        if is_released(needed.source[model])
    ]
    for model in needed.index[needed["source"] == "train"]:
        why = "is selected" if model in selected.index else "is needed by a selected model"
        problems.append(
            f"{config['models']}: {model} {why} and has the source 'train', but only the world's models "
            f"are trained here and inputs.source is {source!r}; give it a folder or a hub id as source, "
            "or select other models (select_models, or another sheet in `models`)"
        )
    if problems:
        raise ConfigError("\n".join(problems))


def planned_extra(config: dict[str, Any]) -> int:
    """How many prompts are judged beside the selected ones: the world's, and a row or line of a user's file each.

    A user's file takes nothing from a world: its held-out prompts are what the tables of a world are made of.
    An estimate from above, without reading the captions: an empty line counts, and one that is selected
    anyway or stands in both. No more for a file that is not there or cannot be read; the rule that reads it says so.
    """
    file = config["inputs"]["extra_prompts"]
    held_out = 0
    if file and config["inputs"]["source"] == "world":
        planted = config["world"]["planted"]
        held_out = int(sum(planted["held_out"].values()))
    if file in ("", "world"):
        return held_out
    try:
        return held_out + count_rows(file)
    except (OSError, ValueError):
        return held_out


def planned_prompts(
    config: dict[str, Any],
    sheet: pd.DataFrame | None = None,
    stage: str = "whitebox",
    model: str = "",
) -> int:
    """Most prompts that a stage can take of a model, as far as the config says: what shards are planned for.

    Parameters
    ----------
    sheet, model
        For `labels`, whose candidates are what the sheet says.
    stage
        whitebox, blackbox, postfilter or labels.
    """
    extra = planned_extra(config)
    most = int(config["dedup"]["n_prompts"])
    if stage in ("blackbox", "postfilter"):
        most = min(most, int(config["blackbox"]["n_prompts"]))
    if stage == "postfilter":
        most = min(most, int(config["postfilter"]["n_prompts"]))
    if stage == "labels":
        assert sheet is not None
        most = min(most, most_candidates(config, sheet, model))
    return most + extra


def most_candidates(
    config: dict[str, Any], sheet: pd.DataFrame, model: str, seen: frozenset[str] = frozenset()
) -> int:
    """Most candidates of a model but for the extra ones; models that name each other in a ring add none."""
    candidates = str(sheet.loc[model, "candidates"])
    if candidates == "own":
        return RANKINGS * int(config["labels"]["n_prompts"])
    if candidates.startswith("top:"):
        return int(config["labels"]["n_transfer"])
    sources = [m for m in candidate_models(candidates) if m not in seen | {model}]
    return sum(most_candidates(config, sheet, m, seen | {model}) for m in sources)
