"""The families of models: what a folder of each holds, and which adapter makes a `Denoiser` of it.

A family is one entry of `FAMILIES` and one adapter. `sd`: a diffusers StableDiffusionPipeline, 1.x and 2.x and
fine-tunes of them; `sdxl`: a StableDiffusionXLPipeline; `flow`: a StableDiffusion3Pipeline or a FluxPipeline; `if`: an
IFPipeline, stage I. Nothing else in the library asks what family a model is of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.models import folders, schedule
from verbatim.models.files import read_json
from verbatim.models.hub import ModelFolderError

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser


@dataclass(frozen=True)
class Family:
    """What a model's folder holds, and what makes a Denoiser of it.

    pipeline : the `_class_name` of model_index.json.
    tokenizer : component -> class, and likewise `networks`, each "library.Class".
    vocabulary : files of a tokenizer, one of which must be there.
    build : (folder, the loaded networks and tokenizers, settings that every Denoiser takes, the
        scheduler's config) -> Denoiser. It raises ModelFolderError where parts do not fit.
    schedulers : components that are schedulers, of which the config alone is read.
    optional : components that a folder may do without, where its model_index.json says so.
    flow : whether it is a rectified flow, whose scheduler has no betas.
    """

    pipeline: str
    tokenizer: Mapping[str, str]
    networks: Mapping[str, str]
    vocabulary: tuple[str, ...]
    build: Callable[[Path, dict[str, Any], dict[str, Any], dict[str, Any]], Denoiser]
    schedulers: tuple[str, ...] = ("scheduler",)
    optional: tuple[str, ...] = ()
    flow: bool = False

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


def find_family(source: object, family: str) -> Family:
    """The family of this name, whatever the folder holds; raises ModelFolderError for an unknown name."""
    if family not in FAMILIES:
        raise ModelFolderError(
            f"{source}: family {family!r} cannot be run here; families: {', '.join(FAMILIES)}"
        )
    return FAMILIES[family]


def family_of(folder: Path, family: str) -> Family:
    """What this folder of a family holds: its pipeline among the family's, without the parts that it leaves out."""
    kind = find_family(folder, family)
    if not kind.optional and family not in OTHERS:
        return kind
    index = read_json(folder, "model_index.json", folders.NO_LAYOUT)
    other = OTHERS.get(family)
    if other is not None and index.get("_class_name") == other.pipeline:
        kind = other
    absent = {part for part in kind.optional if not _is_named(index.get(part))}
    return replace(
        kind,
        tokenizer={part: name for part, name in kind.tokenizer.items() if part not in absent},
        networks={part: name for part, name in kind.networks.items() if part not in absent},
    )


def _is_named(entry: Any) -> bool:
    """Whether an entry of model_index.json, [library, class], names a component."""
    return isinstance(entry, list) and len(entry) > 1 and entry[1] is not None


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
    return LatentDenoiser(parts, settings)


def _build_sdxl(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.sdxl import SdxlDenoiser, check_parts

    index = read_json(folder, "model_index.json", "")
    zeros = index.get("force_zeros_for_empty_prompt", True)  # the pipeline's own default
    check_parts(folder, parts)
    schedule.check_scale(folder, read_json(folder, "vae/config.json", ""))
    return SdxlDenoiser(parts, settings, zeros=bool(zeros))


def _build_sd3(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.sd3 import Sd3Denoiser, check_parts

    check_parts(folder, parts)
    schedule.check_scale(folder, read_json(folder, "vae/config.json", ""))
    return Sd3Denoiser(parts, settings, schedule.read_shift(folder, config))


def _build_flux(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.flux import FluxDenoiser, check_parts

    check_parts(folder, parts)
    schedule.check_scale(folder, read_json(folder, "vae/config.json", ""))
    return FluxDenoiser(parts, settings, schedule.read_shift(folder, config))


def _build_if(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Denoiser:
    from verbatim.models.pixel import PixelDenoiser

    _check_fit(folder, parts, 3, "the channels of an image,", (3, 6))
    return PixelDenoiser(parts, settings, schedule.read_thresholding(folder, config))


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
    "sdxl": Family(
        pipeline="StableDiffusionXLPipeline",
        tokenizer=dict.fromkeys(("tokenizer", "tokenizer_2"), "transformers.CLIPTokenizer"),
        networks={
            "text_encoder": "transformers.CLIPTextModel",
            "text_encoder_2": "transformers.CLIPTextModelWithProjection",
            "unet": "diffusers.UNet2DConditionModel",
            "vae": "diffusers.AutoencoderKL",
        },
        vocabulary=("tokenizer.json", "vocab.json"),
        build=_build_sdxl,
    ),
    "flow": Family(
        pipeline="StableDiffusion3Pipeline",
        tokenizer={
            "tokenizer": "transformers.CLIPTokenizer",
            "tokenizer_2": "transformers.CLIPTokenizer",
            "tokenizer_3": "transformers.T5Tokenizer",
        },
        networks={
            "text_encoder": "transformers.CLIPTextModelWithProjection",
            "text_encoder_2": "transformers.CLIPTextModelWithProjection",
            "text_encoder_3": "transformers.T5EncoderModel",
            "transformer": "diffusers.SD3Transformer2DModel",
            "vae": "diffusers.AutoencoderKL",
        },
        vocabulary=("tokenizer.json", "vocab.json", "spiece.model"),
        build=_build_sd3,
        optional=("text_encoder_3", "tokenizer_3"),
        flow=True,
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

# a family's second pipeline
OTHERS: dict[str, Family] = {
    "flow": Family(
        pipeline="FluxPipeline",
        tokenizer={
            "tokenizer": "transformers.CLIPTokenizer",
            "tokenizer_2": "transformers.T5Tokenizer",
        },
        networks={
            "text_encoder": "transformers.CLIPTextModel",
            "text_encoder_2": "transformers.T5EncoderModel",
            "transformer": "diffusers.FluxTransformer2DModel",
            "vae": "diffusers.AutoencoderKL",
        },
        vocabulary=("tokenizer.json", "vocab.json", "spiece.model"),
        build=_build_flux,
        flow=True,
    )
}
