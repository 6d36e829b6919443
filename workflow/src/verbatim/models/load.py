"""From a folder in diffusers' layout to a `Denoiser`: checked first, then loaded, by the same names.

`families.FAMILIES` says what a folder of each family holds. `checkpoint` is the level above: a row of the models sheet,
which may be a single file and have a LoRA on top.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.io import seals
from verbatim.models import files as model_files
from verbatim.models import folders, schedule
from verbatim.models.families import FAMILIES, OTHERS, Family, family_of, find_family
from verbatim.models.files import link_part, read_json
from verbatim.models.folders import find_folder
from verbatim.models.hub import ModelFolderError, cure_of

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser
    from verbatim.models.single_file import SingleFile

DTYPES = ("float32", "float16", "bfloat16")
# full: all networks on the device at once. slicing: attention a slice and images one at a time.
# offload: that, and a network is on the device only while it is used
MEMORY = ("full", "slicing", "offload")


def find_model(
    folder_or_id: str | os.PathLike[str], family: str, revision: str | None = None
) -> Path:
    """The folder of a model of a family, as `folders.find_folder`."""
    return find_folder(folder_or_id, revision, find_family(folder_or_id, family).includes)


def list_files(folder: Path, family: str) -> list[str]:
    """The files of a model that are loaded, and no other, as paths in its folder.

    Raises ModelFolderError naming the first that is missing.
    """
    kind = family_of(folder, family)
    return model_files.loaded_files(folder, kind.components, kind.weights)


def model_state(source: str, family: str, revision: str | None = None) -> str:
    """Digest of the list of files that would be loaded (`files.file_state`); of the message where none can be.

    Cheap and without any library of models, for the rules: exchanged weights rerun what depends on them.
    """
    try:
        folder = find_model(source, family, revision)
        return model_files.file_state(folder, list_files(folder, family))
    except (ModelFolderError, OSError) as err:
        return str(err)


def check_digests(folder: Path, family: str, digests: Mapping[str, str]) -> None:
    """Refuse a model whose files differ from those that were checked.

    digests : path in the folder -> SHA-256, as `check_model` wrote them of all files, or as a training
        wrote them of its weights. Empty: nothing is known, and nothing is checked.
    """
    check_names(folder, list_files(folder, family) if digests else [], digests)


def check_names(folder: Path, names: Iterable[str], digests: Mapping[str, str]) -> None:
    """`check_digests` of these files of a folder: of all that have a digest, and of all weights."""
    known = [name for name in names if name.endswith(".safetensors")]
    known = sorted({*digests, *known}) if digests else []
    for name in known:
        path = folder / name
        if name not in digests or not path.is_file() or model_files.digest(path) != digests[name]:
            raise ModelFolderError(
                f"{folder}: {name} is not the file that was there when the model was checked or trained; "
                "run again (a model that was trained here: delete its folder first)"
            )


def check_folder(folder: Path, family: str) -> None:
    """Refuse, by name and before any weight is read, a folder that cannot be or must not be loaded.

    It is what `load_denoiser` does but for the weights' numbers: the networks are built of their configs
    and checked against the headers of their weights, the tokenizer and the schedule are read, and all is put
    together, so whatever loading refuses of a folder is refused here.

    Raises
    ------
    ModelFolderError : another pipeline than the family's; a missing, broken or unfitting file, key or
        weight; pickles alone; an index that points elsewhere; code to be run from the folder.
    """
    denoiser, _ = assemble(folder, family, None, "meta")
    run_shapes(folder, family, denoiser)


def run_shapes(source: Path, family: str, denoiser: Denoiser) -> None:
    """Run shapes alone, on "meta", through every network of a denoiser without weights.

    It finds what a forward pass refuses: a network that wants a class, a size, another width.

    Raises
    ------
    ModelFolderError : naming `source`.
    """
    import torch

    try:
        with torch.no_grad():
            x = torch.empty(1, *denoiser.shape, device="meta")
            x = denoiser.predict(x, denoiser.sigma_min, denoiser.blank())
            image = denoiser.decode(x)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as err:
        first = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"{source}: its networks do not run on what they are given ({first}); the folder mixes two "
            f"models, or is of another kind than family {family!r}: {cure_of(source)}"
        ) from err
    if tuple(image.shape) != (1, 3, denoiser.size, denoiser.size):
        raise ModelFolderError(
            f"{source}: an image comes out as {tuple(image.shape)}, not (1, 3, {denoiser.size}, "
            f"{denoiser.size}); the folder mixes two models: {cure_of(source)}"
        )


def load_denoiser(
    folder_or_id: str | os.PathLike[str],
    family: str,
    device: str,
    dtype: str = "float32",
    revision: str | None = None,
    memory: str = "full",
) -> Denoiser:
    """Load a model for scoring and sampling.

    Parameters
    ----------
    folder_or_id : a diffusers folder, or a hub id in the local cache.
    family : "sd" or "if".
    device : "cpu" or "cuda".
    dtype : of weights and activations: float32, float16, bfloat16. Predictions come back float32.
    revision : of a hub id.
    memory : "full", "slicing" or "offload", see `MEMORY`. Scores agree to the rounding of dtype.

    Returns
    -------
    Denoiser, in evaluation mode. Convolutions are set to deterministic kernels, and float32 to
    true float32 (no TF32), for the whole process.

    Raises
    ------
    ModelFolderError : see `check_folder`; also broken, missing or unfitting weights.
    DamagedError : a file of a model that was trained here is not what was written.
    """
    check_words(folder_or_id, dtype, memory)
    folder = find_model(folder_or_id, family, revision)
    seals.check_folder(folder)

    import torch

    denoiser, networks = assemble(folder, family, getattr(torch, dtype), device)
    return place(denoiser, list(networks.values()), memory)


def check_words(source: object, dtype: str, memory: str) -> None:
    """Raises ModelFolderError for a `dtype` or a `memory` that is none of `DTYPES` and `MEMORY`."""
    for name, word, known in (("dtype", dtype, DTYPES), ("memory", memory, MEMORY)):
        if word not in known:
            raise ModelFolderError(f"{source}: {name} {word!r} is unknown; {', '.join(known)}")


def place(denoiser: Denoiser, networks: list[Any], memory: str) -> Denoiser:
    """The denoiser with its networks on its device as `memory` says, and this process set to deterministic kernels."""
    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

    if memory != "full":
        for network in networks:
            slice_attention(network)
    denoiser.place(networks, offload=memory == "offload")
    return denoiser


def assemble(
    folder: Path, family: str, dtype: Any, device: str = "cpu", single: SingleFile | None = None
) -> tuple[Denoiser, dict[str, Any]]:
    """The denoiser and its networks by part, not yet placed; with dtype None on "meta", without weights.

    single : a single file that the weights come from; `folder` then holds its configs alone.
    """
    import torch

    from verbatim.models.weights import check_network, load_network

    folders.check_pipeline(folder, family, _pipelines())
    kind = family_of(folder, family)
    folders.check_components(folder, kind.components)
    if single is None:
        list_files(folder, family)  # what is missing is named before anything is built
    config = read_json(folder, schedule.NAME, "")
    if single is not None:
        config = single.scheduler(config)
    settings: dict[str, Any] = {"device": device, "dtype": dtype or torch.float32}
    if not kind.flow:
        settings["betas"] = schedule.read_betas(folder, config)
        settings["prediction_type"] = schedule.read_prediction_type(folder, config)
    parts = {
        part: _load_tokenizer(folder, part, kind, single is not None) for part in kind.tokenizer
    }
    for part, full_name in kind.networks.items():
        if single is not None:
            parts[part] = single.network(part, full_name, dtype)
            continue
        chosen = model_files.part_files(folder, part, kind.weights[part])
        if dtype is None:
            parts[part] = check_network(folder, part, full_name, chosen)
        else:
            parts[part] = load_network(folder, part, full_name, chosen, dtype)
    denoiser = kind.build(folder, parts, settings, config)
    return denoiser, {part: parts[part] for part in kind.networks}


def _pipelines() -> dict[str, tuple[str, ...]]:
    """Class names of each family's pipelines."""
    some = {name: (family.pipeline,) for name, family in FAMILIES.items()}
    return some | {name: (*some[name], other.pipeline) for name, other in OTHERS.items()}


def slice_attention(model: Any) -> None:
    """Attention in slices, images decoded one at a time: slower, in less memory, the same answer."""
    for name in ("set_attention_slice", "enable_slicing"):
        if hasattr(model, name):
            getattr(model, name)()


def _load_tokenizer(folder: Path, part: str, kind: Family, single: bool) -> Any:
    """A tokenizer; one of a single file's configs may leave its vocabulary, CLIP's, to open_clip."""
    from verbatim.models.weights import load_class

    chosen = model_files.part_files(folder, part, None)
    if single and not set(chosen) & {*kind.vocabulary, "merges.txt"}:
        from verbatim.models.vocabulary import clip_tokenizer

        return clip_tokenizer(folder, part)
    if not set(chosen) & set(kind.vocabulary):
        raise ModelFolderError(
            f"{folder}: {part}/ has neither {' nor '.join(kind.vocabulary)}; {cure_of(folder, kind.includes)}"
        )
    if {"vocab.json", "tokenizer.json", "merges.txt"} & set(chosen) == {"vocab.json"}:
        raise ModelFolderError(
            f"{folder}: {part}/merges.txt is missing, and vocab.json alone is no vocabulary; "
            f"{cure_of(folder, kind.includes)}"
        )
    for name in chosen:
        if name.endswith(".json"):
            read_json(folder, f"{part}/{name}", "")
    with tempfile.TemporaryDirectory(prefix="verbatim-") as place:
        linked = link_part(folder, part, chosen, Path(place) / part)
        try:
            if "spiece.model" in chosen and "tokenizer.json" not in chosen:
                from verbatim.models.sentencepiece import read_t5_tokenizer

                return read_t5_tokenizer(linked)
            return load_class(kind.tokenizer[part]).from_pretrained(
                str(linked), local_files_only=True
            )
        except MemoryError:
            raise
        except Exception as err:  # tokenizers, a Rust library, raises plain Exceptions
            said = str(err).replace(str(linked), part)
            raise ModelFolderError(
                f"{folder}: {part}/ is broken ({said}); {cure_of(folder, kind.includes)}"
            ) from err
