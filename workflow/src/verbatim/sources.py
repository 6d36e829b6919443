"""What a run reads from elsewhere, looked at before any work: pinned hub ids, the CLIP's folder, lists."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.authors import AuthorsError, check_labels
from verbatim.configuration import ConfigError, needed_models
from verbatim.io.user_tables import CAPTIONS, UserTableError, check_columns

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")


def hub_folder(config: dict[str, Any]) -> Path:
    """Where hub ids are looked up: `hub_cache`, or what the hub library would take."""
    if config["hub_cache"]:
        return Path(config["hub_cache"])
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")


def use_cache(config: dict[str, Any]) -> None:
    """Let this process, and the jobs that it starts, look hub ids up in `hub_cache`.

    It is no param of any rule: where a model lies changes no number, and a cache that was moved must
    rerun nothing. The hub's library reads the variable as it loads.
    """
    if config["hub_cache"]:
        os.environ["HF_HUB_CACHE"] = str(Path(config["hub_cache"]).resolve())


def check_revisions(config: dict[str, Any], sheet: pd.DataFrame, selected: pd.DataFrame) -> None:
    """Refuse a hub id without its commit: a name alone is another model tomorrow.

    Only for models that the selected ones need. A source that is a folder here needs none.
    Raises ConfigError naming every row, and the command that says the commit.
    """
    problems = []
    for row in needed_models(sheet, selected).to_dict("records"):
        source, revision = row["source"], row["revision"]
        hub_id = (
            HUB_ID.fullmatch(source) and not Path(source).is_dir() and row["family"] != "images"
        )
        if hub_id and not COMMIT.fullmatch(revision):
            found = f"has the revision {revision!r}" if revision else "has no revision"
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
    cache = hub_folder(config)
    snapshot = cache / f"models--{name.replace('/', '--')}" / "snapshots" / commit
    if not snapshot.is_dir():
        raise ConfigError(
            f"config: inputs.clip is {folder!r}, which is not in the hub cache {cache}; name a folder, or "
            f'fetch it: hf download {name} --revision {commit} --cache-dir {cache} --include "*.json" '
            '"*.txt" "open_clip_model.safetensors"'
        )
    return str(snapshot)


def check_lists(config: dict[str, Any], sheet: pd.DataFrame) -> None:
    """Refuse lists of prompts and labels that are not there, or of models that are not.

    Raises ConfigError naming every key and the cure.
    """
    problems = []
    lists = {"dedup.prompt_list": config["dedup"]["prompt_list"]}
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
