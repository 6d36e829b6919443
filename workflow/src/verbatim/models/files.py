"""The files of a model that are loaded: chosen once, then checked, digested and opened by the same names.

Only safetensors are read: no pickle, no code that comes with a model. Whatever else lies in a folder
(pickles, other variants, an index beside a whole file) is left alone. Nothing here knows a family.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verbatim.io.stand_ins import stand_in_at
from verbatim.models.hub import ModelFolderError, cure_of

# the file that says what a component is; a network's is config.json
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
CONFIGS = dict.fromkeys(TOKENIZERS, "tokenizer_config.json") | {
    "scheduler": "scheduler_config.json",
    "image_noising_scheduler": "scheduler_config.json",
}
STEMS = {"diffusers": "diffusion_pytorch_model", "transformers": "model"}  # of weights, by library
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".msgpack", ".h5")
# variants that checkpoints are published in; the first that is there is loaded where no plain file is
VARIANTS = ("fp16", "bf16", "fp32", "ema", "non_ema")
# what transformers reads of a tokenizer (its PreTrainedTokenizer and our reader of spiece.model)
TOKENIZER = (
    "added_tokens.json", "merges.txt", "special_tokens_map.json", "spiece.model", "tokenizer.json",
    "tokenizer_config.json", "vocab.json",
)  # fmt: skip
CLIP_CONFIG, CLIP_WEIGHTS = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
)  # open_clip's names
MAX_JSON = 100_000_000  # bytes; the largest published ones are tokenizers of some 20 MB


def read_json(folder: Path, name: str, without: str) -> dict[str, Any]:
    """A JSON object of the folder; `without`: what its absence means, for the message.

    Raises
    ------
    ModelFolderError : the file is missing, cannot be read, is too large or is no JSON object.
    """
    path = folder / name
    check_file(folder, name, without)
    try:
        size = path.stat().st_size
        if size > MAX_JSON:
            raise ValueError(f"{size} bytes, more than {MAX_JSON}")
        data = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError as err:
        raise ModelFolderError(f"{folder}: {name} cannot be read; give yourself the right") from err
    except RecursionError as err:
        raise ModelFolderError(
            f"{folder}: {name} is broken (nested too deeply); {cure_of(folder)}"
        ) from err
    except (OSError, ValueError) as err:
        raise ModelFolderError(f"{folder}: {name} is broken ({err}); {cure_of(folder)}") from err
    if not isinstance(data, dict):
        raise ModelFolderError(f"{folder}: {name} is not a JSON object; {cure_of(folder)}")
    return data


def check_file(folder: Path, name: str, without: str = "") -> None:
    """Raises ModelFolderError unless this is a plain file, or a link to one; `without` as in `read_json`."""
    path = folder / name
    if path.is_file():
        if stand_in := stand_in_at(path):
            raise ModelFolderError(f"{folder}: {name} is {stand_in}")
        return
    so = f", so {without}" if without else ""
    if path.is_symlink():
        what = f"{name} is a link to {os.readlink(path)}, where no file is{so}"
    elif path.exists():
        what = f"{name} is no file{so}"
    else:
        what = f"{name} is missing{so}"
    raise ModelFolderError(f"{folder}: {what}; {cure_of(folder)}")


def weights_files(folder: Path, part: str, stem: str) -> dict[str, str]:
    """The weights of a component that are loaded.

    A whole file comes before an index, the plain one before a variant (`VARIANTS` in their order).

    Parameters
    ----------
    stem : of the file's name, by library (`STEMS`).

    Returns
    -------
    The name that the library looks for -> the file in the component's folder. Several for sharded
    weights, whose index stands first.

    Raises
    ------
    ModelFolderError : there are none, or none but pickles; an index is broken or leads elsewhere.
    """
    whole, index = f"{stem}.safetensors", f"{stem}.safetensors.index.json"
    for variant in _variants(folder / part, stem):
        dotted = f".{variant}" if variant else ""
        if os.path.lexists(folder / part / f"{stem}{dotted}.safetensors"):
            check_file(folder, f"{part}/{stem}{dotted}.safetensors")
            return {whole: f"{stem}{dotted}.safetensors"}
        name = f"{stem}.safetensors.index{dotted}.json"
        if os.path.lexists(folder / part / name):
            return {index: name} | {shard: shard for shard in _shards(folder, f"{part}/{name}")}
    pickled = [file.name for file in sorted((folder / part).iterdir()) if is_pickle(file.name)]
    if pickled:
        raise ModelFolderError(
            f"{folder}: {part}/ has pickled weights alone ({pickled[0]}), no {whole}; a pickle can run "
            "code when opened: get the model's safetensors revision, or convert it elsewhere"
        )
    raise ModelFolderError(f"{folder}: {part}/{whole} is missing; {cure_of(folder)}")


def is_pickle(name: str) -> bool:
    return name.lower().endswith(PICKLES)


def _variants(folder: Path, stem: str) -> list[str]:
    """ "" and the known variants; then variants of other names in this folder."""
    found = set()
    for file in folder.iterdir():
        name = file.name
        if name.startswith(f"{stem}.safetensors.index.") and name.endswith(".json"):
            found.add(
                name.removeprefix(f"{stem}.safetensors.index.").removesuffix("json").strip(".")
            )
        elif name.startswith(f"{stem}.") and name.endswith(".safetensors"):
            found.add(name.removeprefix(f"{stem}.").removesuffix("safetensors").strip("."))
    # shards carry their number behind the variant: model.fp16-00001-of-00002.safetensors
    other = sorted(v for v in found - {"", *VARIANTS} if "-of-" not in v)
    return ["", *VARIANTS, *other]


def _shards(folder: Path, name: str) -> list[str]:
    """Files that an index of sharded weights names, each once; they lie beside it."""
    index = read_json(folder, name, "").get("weight_map")
    if not isinstance(index, dict) or not index:
        raise ModelFolderError(f"{folder}: {name} has no weight_map; {cure_of(folder)}")
    files = sorted({str(file) for file in index.values()})
    for file in files:
        if not file.endswith(".safetensors") or Path(file).name != file:
            raise ModelFolderError(
                f"{folder}: {name} points to {file!r}; only safetensors beside it are read"
            )
        check_file(folder, f"{name.rpartition('/')[0]}/{file}", f"{name} names what is not there")
    return files


def part_files(folder: Path, part: str, stem: str | None) -> dict[str, str]:
    """What is loaded of a component: the name that its library looks for -> the file beside it.

    stem : of a network's weights; None for a tokenizer or a scheduler.
    """
    config = CONFIGS.get(part, "config.json")
    if part in TOKENIZERS:
        there = {name: name for name in TOKENIZER if os.path.lexists(folder / part / name)}
        for name in there:
            check_file(folder, f"{part}/{name}")
        return {config: config} | there
    return {config: config} | (weights_files(folder, part, stem) if stem else {})


def loaded_files(folder: Path, components: Iterable[str], weights: Mapping[str, str]) -> list[str]:
    """All files of a model that are loaded, as paths in its folder, sorted.

    Parameters
    ----------
    components : folders that are read. weights : component -> stem of its weights, of networks.
    """
    names = {"model_index.json"}
    for part in components:
        check_folder_of(folder, part)
        files = part_files(folder, part, weights.get(part)).values()
        names |= {f"{part}/{file}" for file in files}
    return sorted(names)


def check_folder_of(folder: Path, part: str) -> None:
    """Raises ModelFolderError unless the component has a folder, or a link to one."""
    if not (folder / part).is_dir():
        raise ModelFolderError(f"{folder}: the folder {part}/ is missing; {cure_of(folder)}")


def digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file, links followed."""
    with open(path, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def file_state(folder: Path, names: Iterable[str]) -> str:
    """Digest of the list of these files, without reading them; it does not depend on the place of a hub cache.

    A file of the hub's cache is told by its blob's name, which is a digest of it; any other by where it
    really lies (links followed), its size and its time.
    """
    state = hashlib.sha256()
    for name in names:
        real = Path(os.path.realpath(folder / name))
        if real.parent.name == "blobs" and real.parent.parent.name.startswith("models--"):
            said = real.name
        else:
            stat = real.stat()
            said = f"{real}\0{stat.st_size}\0{stat.st_mtime_ns}"
        state.update(f"{name}\0{said}\0".encode())
    return state.hexdigest()


def walk_files(folder: Path) -> list[str]:
    """Every file under a folder, as sorted paths in it; links to folders are followed, each place once."""
    found, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [os.path.relpath(os.path.join(place, name), folder) for name in names]
    return sorted(found)


def listing_state(folder: Path) -> str:
    """Digest of the names, sizes and times of all files under a folder, links followed."""
    state = hashlib.sha256()
    for name in walk_files(folder):
        with contextlib.suppress(OSError):  # a link that leads to nothing
            stat = os.stat(folder / name)
            state.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return state.hexdigest()


def link_part(folder: Path, part: str, files: Mapping[str, str], to: Path) -> Path:
    """A folder that holds links to these files alone, so that a library can find no other.

    files : from `part_files`. to : an empty place. Returns the folder.
    """
    to.mkdir(parents=True)
    for name, file in files.items():
        os.symlink(os.path.realpath(folder / part / file), to / name)
    return to
