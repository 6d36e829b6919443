"""Load a `Denoiser` from a row of the models sheet. This is the only file that knows the families.

A family is one entry of `FAMILIES` (what its folder holds) and one adapter (a `Denoiser`): `sd` (a
diffusers StableDiffusionPipeline, 1.x and 2.x and fine-tunes of them) and `if` (an IFPipeline, stage
I). Nothing else in the library asks what family a model is of.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.io import seals
from verbatim.models import files as model_files
from verbatim.models import folders, schedule
from verbatim.models.files import link_part, read_json
from verbatim.models.folders import find_folder
from verbatim.models.hub import ModelFolderError, cure_of

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser

DTYPES = ("float32", "float16", "bfloat16")
# full: all networks on the device at once. slicing: attention a slice and images one at a time.
# offload: that, and a network is on the device only while it is used
MEMORY = ("full", "slicing", "offload")


@dataclass(frozen=True)
class Family:
    """What a model's folder holds, and what makes a Denoiser of it.

    pipeline : the `_class_name` of model_index.json.
    tokenizer : component -> class, and likewise `networks`, each "library.Class".
    vocabulary : files of a tokenizer, one of which must be there.
    build : (folder, the loaded networks and tokenizers, settings that every Denoiser takes, the
        scheduler's config) -> Denoiser. It raises ModelFolderError where parts do not fit.
    schedulers : components that are schedulers, of which the config alone is read.
    """

    pipeline: str
    tokenizer: Mapping[str, str]
    networks: Mapping[str, str]
    vocabulary: tuple[str, ...]
    build: Callable[[Path, dict[str, Any], dict[str, Any], dict[str, Any]], Denoiser]
    schedulers: tuple[str, ...] = ("scheduler",)

    @property
    def components(self) -> list[str]:
        return [*self.tokenizer, *self.networks, *self.schedulers]

    @property
    def weights(self) -> dict[str, str]:
        """Stem of the weights' file of each network."""
        return {part: folders.STEMS[kind.split(".")[0]] for part, kind in self.networks.items()}

    @property
    def includes(self) -> tuple[str, ...]:
        """Patterns of the files that are needed, for the command that fetches them."""
        kinds: dict[str, tuple[str, ...]] = dict.fromkeys(self.networks, ("json", "safetensors"))
        kinds |= {part: ("json", "txt", "model") for part in self.tokenizer}
        kinds |= {part: ("json",) for part in self.schedulers}
        return (
            "model_index.json",
            *(f"{part}/*.{kind}" for part, some in sorted(kinds.items()) for kind in some),
        )


def _family(folder: object, family: str) -> Family:
    if family not in FAMILIES:
        raise ModelFolderError(
            f"{folder}: family {family!r} cannot be run here; families: {', '.join(FAMILIES)}"
        )
    return FAMILIES[family]


def find_model(
    folder_or_id: str | os.PathLike[str], family: str, revision: str | None = None
) -> Path:
    """The folder of a model of a family, as `folders.find_folder`."""
    return find_folder(folder_or_id, revision, _family(folder_or_id, family).includes)


def list_files(folder: Path, family: str) -> list[str]:
    """The files of a model that are loaded, and no other, as paths in its folder.

    Raises ModelFolderError naming the first that is missing.
    """
    kind = _family(folder, family)
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
    import torch

    from verbatim.models.denoiser import Condition

    denoiser, (text, *_) = assemble(folder, family, None, "meta")
    states = torch.empty(1, denoiser.tokens, text.config.hidden_size, device="meta")
    # shapes alone: what a forward pass refuses (a network that wants a class, a size, another width)
    try:
        with torch.no_grad():
            x = torch.empty(1, *denoiser.shape, device="meta")
            x = denoiser.predict(x, 1.0, Condition(states))
            image = denoiser.decode(x)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as err:
        first = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"{folder}: its networks do not run on what they are given ({first}); the folder mixes two "
            f"models, or is of another kind than family {family!r}: {cure_of(folder)}"
        ) from err
    if tuple(image.shape) != (1, 3, denoiser.size, denoiser.size):
        raise ModelFolderError(
            f"{folder}: an image comes out as {tuple(image.shape)}, not (1, 3, {denoiser.size}, "
            f"{denoiser.size}); the folder mixes two models: {cure_of(folder)}"
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
    for word, known in ((dtype, DTYPES), (memory, MEMORY)):
        if word not in known:
            name = "dtype" if known is DTYPES else "memory"
            raise ModelFolderError(
                f"{folder_or_id}: {name} {word!r} is unknown; {', '.join(known)}"
            )
    folder = find_model(folder_or_id, family, revision)
    seals.check_folder(folder)

    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

    denoiser, networks = assemble(folder, family, getattr(torch, dtype), device)
    if memory != "full":
        for network in networks:
            slice_attention(network)
    denoiser.place(networks, offload=memory == "offload")
    return denoiser


def assemble(
    folder: Path, family: str, dtype: Any, device: str = "cpu"
) -> tuple[Denoiser, list[Any]]:
    """The denoiser and its networks, not yet placed; with dtype None on "meta", without weights."""
    import torch

    from verbatim.models.weights import check_network, load_network

    kind = _family(folder, family)
    folders.check_pipeline(folder, family, {name: f.pipeline for name, f in FAMILIES.items()})
    folders.check_components(folder, kind.components)
    list_files(folder, family)  # what is missing is named before anything is built
    config = read_json(folder, schedule.NAME, "")
    settings: dict[str, Any] = {
        "betas": schedule.read_betas(folder, config),
        "prediction_type": schedule.read_prediction_type(folder, config),
        "device": device,
        "dtype": dtype or torch.float32,
    }
    parts = {part: _load_tokenizer(folder, part, kind) for part in kind.tokenizer}
    for part, full_name in kind.networks.items():
        chosen = model_files.part_files(folder, part, kind.weights[part])
        if dtype is None:
            parts[part] = check_network(folder, part, full_name, chosen)
        else:
            parts[part] = load_network(folder, part, full_name, chosen, dtype)
    denoiser = kind.build(folder, parts, settings, config)
    return denoiser, [parts[part] for part in kind.networks]


def slice_attention(model: Any) -> None:
    """Attention in slices, images decoded one at a time: slower, in less memory, the same answer."""
    for name in ("set_attention_slice", "enable_slicing"):
        if hasattr(model, name):
            getattr(model, name)()


def _load_tokenizer(folder: Path, part: str, kind: Family) -> Any:
    from verbatim.models.weights import load_class

    chosen = model_files.part_files(folder, part, None)
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


def _check_fit(
    folder: Path, parts: dict[str, Any], channels: int, where: str, outs: tuple[int, ...]
) -> None:
    """The components' sizes must fit each other, else a score fails in the middle of a job.

    channels, where : what the unet must take, and what says so. outs : what it may give.
    """
    unet, text = parts["unet"].config, parts["text_encoder"].config
    if unet.sample_size is None:
        raise ModelFolderError(f"{folder}: unet/config.json has no sample_size; add it")
    if unet.in_channels != channels:
        raise ModelFolderError(
            f"{folder}: unet/config.json in_channels is {unet.in_channels}, but {where} is "
            f"{channels}; the folder mixes two models (or is an inpainting one): fetch it again"
        )
    if unet.out_channels not in outs:
        raise ModelFolderError(
            f"{folder}: unet/config.json out_channels is {unet.out_channels}, expected one of {outs}"
        )
    width = getattr(unet, "encoder_hid_dim", None) or unet.cross_attention_dim
    if width != (text_width := text.hidden_size):
        raise ModelFolderError(
            f"{folder}: the unet takes captions {width} wide, text_encoder/ gives {text_width}; "
            "the folder mixes two models: fetch it again"
        )
    if len(parts["tokenizer"]) > text.vocab_size:
        raise ModelFolderError(
            f"{folder}: tokenizer/ has {len(parts['tokenizer'])} tokens, text_encoder/ knows "
            f"{text.vocab_size}; the folder mixes two models: fetch it again"
        )


def _build_sd(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.latent import LatentDenoiser

    channels = parts["vae"].config.latent_channels
    _check_fit(folder, parts, channels, "vae/config.json latent_channels", (channels,))
    schedule.check_scale(folder, read_json(folder, "vae/config.json", ""))
    return LatentDenoiser(**parts, **settings)


def _build_if(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.pixel import PixelDenoiser

    _check_fit(folder, parts, 3, "the channels of an image,", (3, 6))
    how, ratio, bound = schedule.read_thresholding(folder, config)
    return PixelDenoiser(**parts, **settings, thresholding=how, ratio=ratio, max_value=bound)


FAMILIES: dict[str, Family] = {
    "sd": Family(
        pipeline="StableDiffusionPipeline",
        tokenizer={"tokenizer": "transformers.CLIPTokenizer"},
        networks={
            "text_encoder": "transformers.CLIPTextModel",
            "unet": "diffusers.UNet2DConditionModel",
            "vae": "diffusers.AutoencoderKL",
        },
        vocabulary=("tokenizer.json", "vocab.json"),
        build=_build_sd,
    ),
    "if": Family(
        pipeline="IFPipeline",
        tokenizer={"tokenizer": "transformers.T5Tokenizer"},
        networks={
            "text_encoder": "transformers.T5EncoderModel",
            "unet": "diffusers.UNet2DConditionModel",
        },
        vocabulary=("tokenizer.json", "spiece.model"),
        build=_build_if,
    ),
}
