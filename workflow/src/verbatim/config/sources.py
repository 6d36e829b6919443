"""Checks on what a run reads from elsewhere, before any work: pinned hub ids, the CLIP's folder, lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.config.checkpoints import file_problems
from verbatim.config.endpoints import check_endpoints
from verbatim.config.set_files import asks_sets, set_problems
from verbatim.config.settings import ConfigError
from verbatim.config.sheet import CLOSED_FAMILIES, needed_models
from verbatim.io.authors import AuthorsError, check_labels
from verbatim.io.user_tables import CAPTIONS, MANIFEST, UserTableError, check_columns
from verbatim.models import hub
from verbatim.models.checkpoint import is_weights_file
from verbatim.models.files import CLIP_CONFIG, CLIP_WEIGHTS, TOKENIZER, file_state, listing_state
from verbatim.models.hub import COMMIT, HUB_ID

RELEASED = "workflow/resources/world"  # the embedded world's checkpoints
CLIP_FILES = ("*.json", "*.txt", CLIP_WEIGHTS)  # what is loaded of a CLIP


def hub_folder(config: dict[str, Any]) -> Path:
    """Where hub ids are looked up: `hub_cache`, or what the hub library would take."""
    return Path(config["hub_cache"]) if config["hub_cache"] else hub.cache_folder()


def use_cache(config: dict[str, Any]) -> None:
    """Let this process, and the jobs that it starts, look hub ids up in `hub_cache`.

    It is no param of any rule: where a model lies changes no number, and a cache that was moved must
    rerun nothing. The hub's library reads the variable as it loads.
    """
    if config["hub_cache"]:
        os.environ["HF_HUB_CACHE"] = str(Path(config["hub_cache"]).resolve())


def check_revisions(config: dict[str, Any], sheet: pd.DataFrame, selected: pd.DataFrame) -> None:
    """Refuse a hub id without its commit (a name alone is another model tomorrow), and a file that is not there.

    Only for models that the selected ones need, and their upscalers. A folder here needs none.
    Raises ConfigError naming every row, and the command that says the commit.
    """
    problems = []
    needed = needed_models(sheet, selected)
    problems += file_problems(needed, config["models"])
    for row in needed[~needed["family"].isin(CLOSED_FAMILIES)].to_dict("records"):
        for column, where in (("source", "revision"), ("upscaler", "upscaler_revision")):
            source, revision = row[column], row[where]
            if not HUB_ID.fullmatch(source) or Path(source).is_dir() or COMMIT.fullmatch(revision):
                continue
            if is_weights_file(source):
                continue
            found = f"has the {where} {revision!r}" if revision else f"has no {where}"
            problems.append(
                f"{config['models']}: {row['model']}: {source!r} is no folder here, and as a hub id it "
                f"{found}; write its commit (40 hexadecimal digits) there: git ls-remote "
                f"https://huggingface.co/{source} HEAD. Or leave it out (select_models)"
            )
    if problems:
        raise ConfigError("\n".join(problems))


def clip_folder(config: dict[str, Any]) -> str:
    """Folder of `inputs.clip`: as given, or of owner/name@commit in the hub cache.

    Raises ConfigError, with the command that fetches it, if the cache does not have it.
    """
    folder: str = config["inputs"]["clip"]
    name, at, commit = folder.partition("@")
    if Path(folder).is_dir() or not (at and HUB_ID.fullmatch(name)):
        return folder
    if not COMMIT.fullmatch(commit):
        raise ConfigError(
            f"config: inputs.clip is {folder!r}: after @ a commit of 40 hexadecimal digits is needed; "
            f"git ls-remote https://huggingface.co/{name} HEAD"
        )
    try:
        return str(hub.find_snapshot(name, commit, hub_folder(config), CLIP_FILES))
    except hub.ModelFolderError as err:
        raise ConfigError(
            f"config: inputs.clip is {folder!r}, which is not in the hub cache: name a folder, or {err}"
        ) from err


def clip_state(folder: str | Path) -> str:
    """Which files of a CLIP folder would be loaded, with those of its tokenizer: see `file_state`."""
    folder = Path(folder)
    names = (CLIP_CONFIG, CLIP_WEIGHTS, *TOKENIZER)
    return file_state(folder, [name for name in names if (folder / name).is_file()])


def files_state(files: Iterable[str | Path]) -> str:
    """Which files these are, with links followed: see `file_state`."""
    return file_state(Path(), [str(file) for file in files])


def images_state(manifest: str | Path) -> str:
    """Names, sizes and times of all images of a closed system, which lie beside its manifest."""
    return listing_state(Path(manifest).parent)


def check_lists(config: dict[str, Any], sheet: pd.DataFrame) -> None:
    """Refuse lists and sets of prompts and labels that are not there, or of models that are not.

    Raises ConfigError naming every key and the cure.
    """
    problems = set_problems(config)
    lists = {"dedup.prompt_list": "" if asks_sets(config) else config["dedup"]["prompt_list"]}
    if config["inputs"]["extra_prompts"] != "world":
        lists["inputs.extra_prompts"] = config["inputs"]["extra_prompts"]
    for key, file in lists.items():
        if file:
            try:
                check_columns(file, CAPTIONS, ["caption"])
            except UserTableError as err:
                problems.append(f"config: {key} is {file!r}: {err}; correct or empty it")
    for model, path in config["labels"]["authors"].items():
        if model not in sheet.index:
            problems.append(
                f"config: labels.authors has {model!r}, which is no row of {config['models']}; rows: "
                + ", ".join(sheet.index)
            )
        try:
            check_labels(path)
        except AuthorsError as err:
            problems.append(f"config: labels.authors.{model} is {path!r}: {err}")
    problems += [
        f"{config['models']}: {model} has the candidates 'authors', but labels.authors in the config "
        f"has no {model!r}; name the file of their labels there"
        for model in sheet.index[sheet["candidates"] == "authors"]
        if model not in config["labels"]["authors"]
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def find_manifest(folder: str | Path) -> Path:
    """The manifest of a folder of images: the first of manifest.parquet, .csv, .tsv and .jsonl that is there."""
    files = [Path(folder) / f"manifest.{suffix}" for suffix in ("parquet", "csv", "tsv", "jsonl")]
    return next((file for file in files if file.is_file()), files[1])


def is_released(path: str) -> bool:
    """Whether a path of the config or the sheet lies in the embedded world's released folder."""
    return Path(path).as_posix().rstrip("/").startswith(RELEASED)


def check_sources(config: dict[str, Any], sheet: pd.DataFrame, selected: pd.DataFrame) -> None:
    """Refuse what only the world can give (its CLIP, captions, trainings) beside a user's own data,
    a closed system without its manifest, and one whose endpoint is not described as it must be.

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
    check_endpoints(config, needed)
    folders = list(needed.index[needed["family"].eq("images") & needed["source"].ne("train")])
    lacking = [m for m in folders if not find_manifest(needed.source[m]).is_file()]
    if lacking:
        raise ConfigError(
            f"{config['models']}: {lacking[0]} has the family 'images', but its source "
            f"{needed.source[lacking[0]]!r} is no folder with a manifest.csv, .tsv, .jsonl or .parquet "
            "(columns file, prompt; seed and steps if known): correct source, or write one"
        )
    for model in folders:
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
