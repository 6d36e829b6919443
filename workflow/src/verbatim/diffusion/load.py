"""From a row of the models sheet to a `Denoiser`: the only file that knows the families.

A family is one entry of `FAMILIES` (what its folder holds) and one adapter (a `Denoiser`): `sd` (a
diffusers StableDiffusionPipeline, 1.x and 2.x and fine-tunes of them) and `if` (an IFPipeline, stage
I). Nothing else in the library asks what family a model is of.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.diffusion import folders
from verbatim.diffusion.folders import ModelFolderError, find_folder, read_json
from verbatim.io import seals

if TYPE_CHECKING:
    from verbatim.diffusion.denoiser import Denoiser

DTYPES = ("float32", "float16", "bfloat16")
# full: all networks on the device at once. slicing: attention a slice and pictures one at a time.
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
    """

    pipeline: str
    tokenizer: Mapping[str, str]
    networks: Mapping[str, str]
    vocabulary: tuple[str, ...]
    build: Callable[[Path, dict[str, Any], dict[str, Any], dict[str, Any]], Denoiser]

    @property
    def components(self) -> list[str]:
        return [*self.tokenizer, *self.networks, "scheduler"]

    @property
    def weights(self) -> dict[str, str]:
        """Stem of the weights' file of each network."""
        return {part: folders.STEMS[kind.split(".")[0]] for part, kind in self.networks.items()}


def _family(folder: Path, family: str) -> Family:
    if family not in FAMILIES:
        raise ModelFolderError(
            f"{folder}: family {family!r} cannot be run here; families: {', '.join(FAMILIES)}"
        )
    return FAMILIES[family]


def check_folder(folder: Path, family: str) -> None:
    """Refuse, by name and before any weight is read, a folder that cannot be or must not be loaded.

    Raises ModelFolderError for: another pipeline than the family's, a missing component or file,
    weights that are pickles, a weights index that points elsewhere, code to be run from the folder.
    """
    kind = _family(folder, family)
    folders.check_pipeline(folder, family, {name: f.pipeline for name, f in FAMILIES.items()})
    folders.check_components(folder, kind.components, kind.weights)


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
    folder = find_folder(folder_or_id, revision)
    seals.check_folder(folder)
    check_folder(folder, family)

    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

    kind = FAMILIES[family]
    config = read_json(folder, "scheduler/scheduler_config.json", "")
    settings: dict[str, Any] = {
        "betas": _betas(folder, config),
        "prediction_type": config.get("prediction_type", "epsilon"),
        "device": device,
        "dtype": getattr(torch, dtype),
    }
    parts = {part: _load_tokenizer(folder, part, kind) for part in kind.tokenizer}
    for part, full_name in kind.networks.items():
        model = _load_network(folder, part, full_name, kind.weights[part], settings["dtype"])
        parts[part] = model.eval().requires_grad_(False)
        if memory != "full":
            _slice(parts[part])
    denoiser = kind.build(folder, parts, settings, config)
    denoiser.place([parts[part] for part in kind.networks], offload=memory == "offload")
    return denoiser


def _slice(model: Any) -> None:
    """Attention in slices, pictures decoded one at a time: slower, in less memory, the same answer."""
    for name in ("set_attention_slice", "enable_slicing"):
        if hasattr(model, name):
            getattr(model, name)()


def _betas(folder: Path, config: dict[str, Any]) -> Any:
    """Noise schedule of a scheduler's config, whichever of diffusers' samplers wrote it."""
    from diffusers import DDPMScheduler

    keys = (
        "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
        "rescale_betas_zero_snr",
    )  # fmt: skip
    if "FlowMatch" in str(config.get("_class_name", "")):
        raise ModelFolderError(
            f"{folder}: scheduler/scheduler_config.json is a flow-matching one, which has no betas; "
            "use a model of Stable Diffusion 1 or 2, or DeepFloyd IF"
        )
    try:
        return DDPMScheduler(**{key: config[key] for key in keys if key in config}).betas
    except (NotImplementedError, TypeError, ValueError) as err:
        raise ModelFolderError(
            f"{folder}: scheduler/scheduler_config.json has no noise schedule known here ({err}); "
            "known: linear, scaled_linear, squaredcos_cap_v2, sigmoid, trained_betas"
        ) from err


def _class(full_name: str) -> Any:
    library, name = full_name.split(".")
    return getattr(importlib.import_module(library), name)


def _load_tokenizer(folder: Path, part: str, kind: Family) -> Any:
    files = {file.name for file in (folder / part).iterdir()}
    if not files & set(kind.vocabulary):
        raise ModelFolderError(
            f"{folder}: {part}/ has neither {' nor '.join(kind.vocabulary)}; fetch it again"
        )
    try:
        if "spiece.model" in files and "tokenizer.json" not in files:
            from verbatim.diffusion.sentencepiece import read_t5_tokenizer

            return read_t5_tokenizer(folder / part)
        return _class(kind.tokenizer[part]).from_pretrained(
            str(folder / part), local_files_only=True
        )
    except Exception as err:  # transformers raises many kinds for broken files
        raise ModelFolderError(f"{folder}: {part}/ is broken ({err}); fetch it again") from err


def _load_network(folder: Path, part: str, full_name: str, stem: str, number: Any) -> Any:
    """One network of the pipeline, refused if any of its weights is missing or does not fit."""
    library, name = full_name.split(".")
    asked = {"dtype" if library == "transformers" else "torch_dtype": number}
    try:
        model, report = _class(full_name).from_pretrained(
            str(folder / part),
            variant=folders.weights_variant(folder, part, stem),
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **asked,
        )
    except Exception as err:  # both libraries raise many kinds for broken files
        first = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"{folder}: {part}/ cannot be loaded as {name} ({first}); fetch it again or "
            "train the model again"
        ) from err
    # a weight that is missing would silently be random
    missing = sorted(str(key) for key in report["missing_keys"])
    if missing:
        raise ModelFolderError(
            f"{folder}: {part}/ lacks {len(missing)} weights, {missing[0]} first; fetch it again or "
            "train the model again"
        )
    return model


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
    from verbatim.diffusion.latent import LatentDenoiser

    channels = parts["vae"].config.latent_channels
    _check_fit(folder, parts, channels, "vae/config.json latent_channels", (channels,))
    return LatentDenoiser(**parts, **settings)


def _build_if(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.diffusion.pixel import PixelDenoiser

    _check_fit(folder, parts, 3, "the channels of a picture,", (3, 6))
    # as DDPMScheduler.step: thresholding wins over clip_sample, whose default there is True
    if config.get("thresholding", False):
        how, bound = "dynamic", float(config.get("sample_max_value", 1.0))
    elif config.get("clip_sample", True):
        how, bound = "clip", float(config.get("clip_sample_range", 1.0))
    else:
        how, bound = "none", 1.0
    ratio = float(config.get("dynamic_thresholding_ratio", 0.995))
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
