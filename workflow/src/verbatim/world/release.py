"""The embedded world's models as they are released: small, whole, and with what made them written beside.

A released folder is loaded by the code that loads public checkpoints. Weights are stored in half precision,
which halves the download; what is stored twice, as the VAE that the latent models share, is one object to git.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from verbatim.io.seals import LIST, seal_folder

LICENCE = """The images that these models are trained on, and those in `midjourney`, are made of OpenMoji's drawings.
OpenMoji: the open-source emoji and icon project (https://openmoji.org), licence CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/). The weights and the images in this folder are released under
the same licence. `provenance.json` says what trained them, and the SHA-256 of every file.
"""
PROVENANCE = "provenance.json"
ORIGIN = "_name_or_path"  # where diffusers and transformers write the folder that a network was loaded from


def copy_half(source: Path, target: Path, leave_out: Iterable[str] = ()) -> None:
    """Copy a folder of a model, its floating-point weights in half precision; `target` is made again.

    leave_out : names of files that are not copied
    """
    shutil.rmtree(target, ignore_errors=True)
    names = {LIST, *leave_out}
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        if file.name in names:
            continue
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".safetensors":
            tensors = load_file(file)
            half = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
            for name, tensor in half.items():
                if not torch.isfinite(tensor).all():
                    raise ValueError(f"{file}: {name} is not finite in half precision")
            save_file(half, copy, metadata={"format": "pt"})
        elif file.name == "config.json":
            copy.write_text(without_origin(file.read_text("utf-8")), "utf-8")
        else:
            shutil.copyfile(file, copy)
    seal_folder(target)


def without_origin(config: str) -> str:
    """The text of a network's config without the folder that it was loaded from: a path of the machine that trained it."""
    found = json.loads(config)
    return json.dumps({k: v for k, v in found.items() if k != ORIGIN}, indent=2) + "\n"


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder` but the provenance, by its path in it, sorted."""
    found = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.name != PROVENANCE:
            with open(file, "rb") as data:
                digest = hashlib.file_digest(data, "sha256").hexdigest()
            found[file.relative_to(folder).as_posix()] = digest
    return found


def summarize_training(log: pd.DataFrame) -> dict[str, float]:
    """What a `training_log` table says in short: steps, seconds, mean loss of the last 50 steps."""
    last = log.sort_values("step")
    return {
        "steps": int(last["step"].iloc[-1]) + 1,
        "seconds": round(float(last["seconds"].iloc[-1]), 1),
        "loss": round(float(last["loss"].tail(50).mean()), 5),
    }


def describe_code(files: Iterable[str | Path]) -> dict[str, str]:
    """SHA-256 of the modules that trained the models, by their path in the library."""
    name = {file: Path(file).as_posix().rpartition("verbatim/")[2] for file in files}
    return {name[file]: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in name}


def write_provenance(folder: Path, facts: dict[str, Any]) -> None:
    """Write the licence note, and `facts` with the digest of every file, into a released folder."""
    (folder / "LICENSE.txt").write_text(LICENCE, "utf-8")
    text = json.dumps(facts | {"sha256": hash_files(folder)}, indent=1, sort_keys=True)
    (folder / PROVENANCE).write_text(text + "\n", "utf-8")


def find_changes(folder: Path) -> list[str]:
    """Files of a released folder that are not what its provenance says: changed, missing or more."""
    said = json.loads((folder / PROVENANCE).read_text("utf-8"))["sha256"]
    found = hash_files(folder)
    return sorted(name for name in said.keys() | found.keys() if said.get(name) != found.get(name))
