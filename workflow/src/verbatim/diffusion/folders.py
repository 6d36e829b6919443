"""A model's folder in diffusers' layout: found, and checked before any weight is read.

Only safetensors are read: no pickle, no code that comes with a model. What a folder must hold is
told by the caller; nothing here knows a family.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# the file that says what a component is; a network's is config.json
CONFIGS = {"tokenizer": "tokenizer_config.json", "scheduler": "scheduler_config.json"}
STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}  # of weights, by library
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")


class ModelFolderError(ValueError):
    """A model cannot be loaded; the message names the folder, the file and the cure."""


def find_folder(folder_or_id: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The model's folder: as given, or of a hub id in the local cache. Nothing is downloaded."""
    path = Path(folder_or_id)
    if path.is_dir():
        return path
    name = str(folder_or_id)
    if not re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", name):
        raise ModelFolderError(
            f"{name}: no such folder; correct the models sheet, or run the rule that trains it"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception as err:  # the hub's library raises many kinds for what is not cached
        at = f" --revision {revision}" if revision else ""
        cache = os.environ.get("HF_HUB_CACHE", "")  # the config's `hub_cache`, if one is set
        at += f" --cache-dir {cache}" if cache else ""
        raise ModelFolderError(
            f"{name}: neither a folder nor a model in the local hub cache; fetch it first: "
            f'hf download {name}{at} --include "*.json" "*.txt" "*.model" "*.safetensors"'
        ) from err


def check_pipeline(folder: Path, family: str, pipelines: Mapping[str, str]) -> None:
    """Refuse a folder whose model_index.json is another pipeline than the family's.

    pipelines : family -> class name, of all families: the message names the one that fits.
    """
    wanted = pipelines[family]
    index = read_json(folder, "model_index.json", "it is not a diffusers pipeline folder")
    found = index.get("_class_name")
    if isinstance(found, list):
        raise ModelFolderError(
            f"{folder}: model_index.json asks for code of its own ({found}); such models are not "
            f"run: use one that is a plain {wanted}"
        )
    if found != wanted:
        fits = [name for name, pipeline in pipelines.items() if pipeline == found]
        cure = f"set family to {fits[0]!r} in the models sheet" if fits else "use another model"
        raise ModelFolderError(
            f"{folder}: model_index.json says {found}, family {family!r} is a {wanted}; {cure}"
        )


def check_components(folder: Path, components: Iterable[str], weights: Mapping[str, str]) -> None:
    """Refuse, by name, a component that is missing, pickled or brings code.

    Parameters
    ----------
    components : folders that must be there, each with its config.
    weights : component -> stem of its weights' file, for those that are networks.
    """
    for part in components:
        if not (folder / part).is_dir():
            raise ModelFolderError(
                f"{folder}: the folder {part}/ is missing; fetch or train the model again"
            )
        name = f"{part}/{CONFIGS.get(part, 'config.json')}"
        if "auto_map" in read_json(folder, name, "the component has no config"):
            raise ModelFolderError(
                f"{folder}: {name} asks for code of its own (auto_map); such models "
                "are not run: use one whose classes are diffusers' and transformers'"
            )
        for file in sorted((folder / part).iterdir()):
            if file.suffix == ".py":
                raise ModelFolderError(
                    f"{folder}: {part}/{file.name} is code; models with code are not run: delete "
                    "the file if the model does without"
                )
            if file.suffix in PICKLES and part in weights:
                raise ModelFolderError(
                    f"{folder}: {part}/{file.name} is not safetensors; a pickle can run code when "
                    f"opened. Delete it if {part}/{weights[part]}.safetensors is there, else get "
                    "the model's safetensors revision or convert it elsewhere"
                )
        if part in weights:
            weights_variant(folder, part, weights[part])


def weights_variant(folder: Path, part: str, stem: str) -> str | None:
    """None, or "fp16" where a component's weights exist in that variant only; checks any index."""
    for variant in (None, "fp16"):
        dotted = f".{variant}" if variant else ""
        if (folder / part / f"{stem}{dotted}.safetensors").is_file():
            return variant
        name = f"{part}/{stem}.safetensors.index{dotted}.json"
        if (folder / name).is_file():
            files = set(read_json(folder, name, "").get("weight_map", {}).values())
            for file in sorted(files):
                if not file.endswith(".safetensors") or Path(file).name != file:
                    raise ModelFolderError(
                        f"{folder}: {name} points to {file!r}; only safetensors beside it are read"
                    )
                if not (folder / part / file).is_file():
                    raise ModelFolderError(
                        f"{folder}: {part}/{file} is missing though {name} names it; fetch it again"
                    )
            return variant
    raise ModelFolderError(
        f"{folder}: {part}/{stem}.safetensors is missing; fetch the safetensors weights or train "
        "the model again"
    )


def read_json(folder: Path, name: str, without: str) -> dict[str, Any]:
    """A JSON object of the folder; `without`: what its absence means, for the message."""
    try:
        data = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ModelFolderError(
            f"{folder}: {name} is missing, so {without}; give a folder in diffusers' layout"
        ) from err
    except (OSError, ValueError) as err:
        raise ModelFolderError(f"{folder}: {name} is broken ({err}); fetch it again") from err
    if not isinstance(data, dict):
        raise ModelFolderError(f"{folder}: {name} is not a JSON object; fetch it again")
    return data
