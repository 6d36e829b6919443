"""From a row of the models sheet to a `Denoiser`: a folder, a hub id or a single file, and a LoRA on top."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.io import seals
from verbatim.models import files as model_files
from verbatim.models import load
from verbatim.models.families import find_family
from verbatim.models.hub import ModelFolderError

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser
    from verbatim.models.single_file import SingleFile

SUFFIX = ".safetensors"  # of a single file and of a LoRA


@dataclass(frozen=True)
class Checkpoint:
    """What a row of the models sheet names.

    family : as in `families.FAMILIES`.
    path : a folder in diffusers' layout, or a single file.
    lora : a LoRA's file, merged into the weights with `lora_scale`; None: none.
    prediction : of a single file that does not say what its network predicts; else "".
    configs : of a single file, a folder of configs and tokenizers; None: those shipped.
    """

    family: str
    path: Path
    lora: Path | None = None
    lora_scale: float = 1.0
    prediction: str = ""
    configs: Path | None = None

    @property
    def single(self) -> bool:
        """Whether it is a single file."""
        return self.path.is_file()


def is_weights_file(source: str | os.PathLike[str]) -> bool:
    """Whether a source names a file of weights, whatever its kind, and no folder or hub id."""
    name = str(source)
    return not Path(name).is_dir() and (name.endswith(SUFFIX) or model_files.is_pickle(name))


def check_weights_file(file: Path, column: str) -> None:
    """Refuse, with the cure, a file of weights that is not there or may not be opened.

    column : of the models sheet that names it.
    """
    if model_files.is_pickle(file.name):
        target = file.with_suffix(SUFFIX)
        raise ModelFolderError(
            f"{file}: the column {column} names a pickle, which can run code when opened; get the model's {SUFFIX} "
            f"file, or convert it: .venv/bin/python workflow/tools/convert_pickle.py {file} {target}"
        )
    if file.suffix != SUFFIX:
        raise ModelFolderError(f"{file}: the column {column} must name a {SUFFIX} file")
    if not file.is_file():
        raise ModelFolderError(f"{file}: no such file; correct the column {column}")


def find_checkpoint(row: Mapping[str, Any], source: str | None = None) -> Checkpoint:
    """The checkpoint of a row. Nothing is downloaded, and no weight is read.

    Parameters
    ----------
    row : family, source, and what else the row has of revision, lora, lora_scale, prediction, configs.
    source : in place of the row's, for a model that was trained here.

    Raises
    ------
    ModelFolderError : a folder or file that is not there, or that may not be opened.
    """
    source = str(row["source"]) if source is None else source
    family = str(row["family"])
    find_family(source, family)
    lora, configs = (
        Path(str(row[name])) if row.get(name) else None for name in ("lora", "configs")
    )
    if lora is not None:
        check_weights_file(lora, "lora")
    if is_weights_file(source):
        path = Path(source)
        check_weights_file(path, "source")
    else:
        path = load.find_model(source, family, row.get("revision") or None)
        if configs is not None:
            raise ModelFolderError(
                f"{source}: the column configs is for a single file, and a folder has its own; empty it"
            )
    return Checkpoint(
        family,
        path,
        lora,
        float(row.get("lora_scale") or 1.0),
        str(row.get("prediction") or ""),
        configs,
    )


def files_of(checkpoint: Checkpoint) -> dict[str, Path]:
    """The files that are loaded, and no other: a name that says what each is -> where it lies."""
    if checkpoint.single:
        found = {checkpoint.path.name: checkpoint.path}
        if checkpoint.configs is not None:
            names = _config_files(checkpoint.configs)
            found |= {f"configs/{name}": checkpoint.configs / name for name in names}
    else:
        names = load.list_files(checkpoint.path, checkpoint.family)
        found = {name: checkpoint.path / name for name in names}
    if checkpoint.lora is not None:
        found[f"lora/{checkpoint.lora.name}"] = checkpoint.lora
    return found


def _config_files(folder: Path) -> list[str]:
    """JSON and vocabulary files of a folder of configs, one level deep, sorted."""
    return sorted(
        file.relative_to(folder).as_posix()
        for pattern in ("*.json", "*/*.json", "*/*.txt", "*/*.model")
        for file in folder.glob(pattern)
    )


def checkpoint_state(row: Mapping[str, Any]) -> str:
    """Digest of which files would be loaded now; of the message where none can be. Reads no weight.

    Exchanged weights, and a LoRA that was exchanged, rerun what depends on them.
    """
    try:
        checkpoint = find_checkpoint(row)
        if checkpoint.lora is None and not checkpoint.single:
            names = load.list_files(checkpoint.path, checkpoint.family)
            return model_files.file_state(checkpoint.path, names)
        return model_files.file_state(Path(), map(str, files_of(checkpoint).values()))
    except (ModelFolderError, OSError) as err:
        return str(err)


def check_digests(checkpoint: Checkpoint, digests: Mapping[str, str]) -> None:
    """Refuse files that are not those that were checked, as `load.check_digests`; none where nothing is known."""
    if not digests:
        return
    if not checkpoint.single and checkpoint.lora is None:
        load.check_digests(checkpoint.path, checkpoint.family, digests)
        return
    found = files_of(checkpoint)
    for name in sorted({*digests, *found}):
        path = found.get(name)
        if path is None or name not in digests or model_files.digest(path) != digests[name]:
            raise ModelFolderError(
                f"{path or checkpoint.path}: {name} is not the file that was there when the model was checked; run again"
            )


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Refuse, by name and before any weight is read, what cannot be or must not be loaded.

    A folder as `load.check_folder`; a single file as `single_file.open_single_file`; a LoRA as `lora.plan_lora`.
    """
    denoiser, networks = _assemble(checkpoint, None, "meta")
    load.run_shapes(checkpoint.path, checkpoint.family, denoiser)
    if checkpoint.lora is not None:
        from verbatim.models.lora import plan_lora, read_lora

        plan_lora(read_lora(checkpoint.lora), networks)


def load_checkpoint(
    checkpoint: Checkpoint, device: str, dtype: str = "float32", memory: str = "full"
) -> Denoiser:
    """Load a checkpoint for scoring and sampling; parameters and errors as for `load.load_denoiser`."""
    import torch

    load.check_words(checkpoint.path, dtype, memory)
    if not checkpoint.single:
        seals.check_folder(checkpoint.path)
    denoiser, networks = _assemble(checkpoint, getattr(torch, dtype), device)
    if checkpoint.lora is not None:
        from verbatim.models.lora import merge_lora, plan_lora, read_lora

        lora = read_lora(checkpoint.lora)
        merge_lora(lora, plan_lora(lora, networks), networks, checkpoint.lora_scale)
    return load.place(denoiser, list(networks.values()), memory)


def _assemble(checkpoint: Checkpoint, dtype: Any, device: str) -> tuple[Denoiser, dict[str, Any]]:
    """The denoiser, not yet placed, and its networks by the name of their part."""
    single: SingleFile | None = None
    folder = checkpoint.path
    if checkpoint.single:
        from verbatim.models.single_file import open_single_file

        single = open_single_file(
            folder, checkpoint.family, checkpoint.prediction, checkpoint.configs
        )
        folder = single.configs
    denoiser, networks = load.assemble(folder, checkpoint.family, dtype, device, single)
    return denoiser, networks
