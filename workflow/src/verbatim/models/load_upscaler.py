"""Load stage II of a model from the sheet's column `upscaler`, and check that it fits stage I."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verbatim.models import files as model_files
from verbatim.models import folders, load, schedule
from verbatim.models.files import read_json
from verbatim.models.hub import ModelFolderError, cure_of

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser
    from verbatim.models.upscaling import Upscaler, UpscalerSettings

NOISING = "image_noising_scheduler"
COLUMN = "column upscaler of the models sheet"


def _check_unet(folder: Path, config: Any, first: Denoiser) -> None:
    """Stage II's network must fit the encoder and the images of stage I, and be told a noise level."""
    low = first.shape[0]
    text_width = first.text_encoder.config.hidden_size  # type: ignore[attr-defined]
    width = getattr(config, "encoder_hid_dim", None) or config.cross_attention_dim
    size = config.sample_size
    wrong = {
        f"in_channels is {config.in_channels}, expected {2 * low}: an image, and stage I's": (
            config.in_channels != 2 * low
        ),
        f"out_channels is {config.out_channels}, expected {low} or {2 * low}": (
            config.out_channels not in (low, 2 * low)
        ),
        f"it takes captions {width} wide, stage I's text_encoder/ gives {text_width}": (
            width != text_width
        ),
        "class_embed_type is none, so it cannot be told the noise level": (
            config.class_embed_type is None and config.num_class_embeds is None
        ),
        f"sample_size is {size}, stage I's images are {first.size} pixels": (
            not isinstance(size, int) or size < first.size
        ),
    }
    for problem, there in wrong.items():
        if there:
            raise ModelFolderError(
                f"{folder}: unet/config.json: {problem}; it is no stage II of this stage I: name "
                f"another one in the {COLUMN}"
            )


def _build(
    folder: Path, parts: dict[str, Any], settings: dict[str, Any], config: dict[str, Any]
) -> Upscaler:
    """parts: `first`, the loaded stage I, and `how`, UpscalerSettings, beside the network."""
    from verbatim.models.upscaling import Upscaler

    first, how, unet = (parts[name] for name in ("first", "how", "unet"))
    _check_unet(folder, unet.config, first)
    name = f"{NOISING}/scheduler_config.json"
    noising = schedule.read_betas(folder, read_json(folder, name, ""), name)
    thresholding = schedule.read_thresholding(folder, config)
    shared = {"unet": unet, "text_encoder": first.text_encoder, "tokenizer": first.tokenizer}
    try:
        return Upscaler(shared, settings, thresholding, how, noising)
    except ValueError as err:
        raise ModelFolderError(f"{folder}: {err}") from err


# stage II of a family of `load.FAMILIES`
UPSCALERS = {
    "if": load.Family(
        pipeline="IFSuperResolutionPipeline",
        tokenizer={},
        networks={"unet": "diffusers.UNet2DConditionModel"},
        vocabulary=(),
        build=_build,
        schedulers=("scheduler", NOISING),
    )
}


def _kind(folder: object, family: str) -> load.Family:
    if family not in UPSCALERS:
        raise ModelFolderError(
            f"{folder}: family {family!r} has no second stage; empty the {COLUMN}"
        )
    return UPSCALERS[family]


def find_upscaler(
    folder_or_id: str | os.PathLike[str], family: str, revision: str | None = None
) -> Path:
    """The folder of a family's stage II, as `folders.find_folder`."""
    return folders.find_folder(folder_or_id, revision, _kind(folder_or_id, family).includes)


def list_upscaler_files(folder: Path, family: str) -> list[str]:
    """The files of a stage II that are loaded, and no other, as `load.list_files`."""
    kind = _kind(folder, family)
    return model_files.loaded_files(folder, kind.components, kind.weights)


def upscaler_state(source: str, family: str, revision: str | None = None) -> str:
    """Digest of the list of files that would be loaded, as `load.model_state`."""
    try:
        folder = find_upscaler(source, family, revision)
        return model_files.file_state(folder, list_upscaler_files(folder, family))
    except (ModelFolderError, OSError) as err:
        return str(err)


def check_upscaler_digests(folder: Path, family: str, digests: Mapping[str, str]) -> None:
    """Refuse a stage II whose files differ from those that were checked, as `load.check_digests`."""
    load.check_names(folder, list_upscaler_files(folder, family) if digests else [], digests)


def _assemble(
    folder: Path, family: str, first: Denoiser, settings: UpscalerSettings, dtype: Any
) -> Upscaler:
    """Stage II, not yet placed, on stage I's device; with dtype None without weights ("meta")."""
    import torch

    from verbatim.models.weights import check_network, load_network

    kind = _kind(folder, family)
    index = read_json(
        folder, "model_index.json", "it is not a folder in diffusers' layout, or not a whole one"
    )
    if index.get("_class_name") != kind.pipeline:
        raise ModelFolderError(
            f"{folder}: model_index.json says {index.get('_class_name')}, the upscaler of family "
            f"{family!r} is a {kind.pipeline}; correct the {COLUMN}"
        )
    folders.check_components(folder, kind.components)
    list_upscaler_files(folder, family)  # what is missing is named before anything is built
    config = read_json(folder, schedule.NAME, "")
    shared: dict[str, Any] = {
        "betas": schedule.read_betas(folder, config),
        "prediction_type": schedule.read_prediction_type(folder, config),
        "device": str(first.device),
        "dtype": dtype or torch.float32,
    }
    parts: dict[str, Any] = {"first": first, "how": settings}
    for part, full_name in kind.networks.items():
        chosen = model_files.part_files(folder, part, kind.weights[part])
        parts[part] = (
            check_network(folder, part, full_name, chosen)
            if dtype is None
            else load_network(folder, part, full_name, chosen, dtype)
        )
    upscaler: Any = kind.build(folder, parts, shared, config)
    return upscaler


def check_upscaler(folder: Path, first: Path, family: str, settings: UpscalerSettings) -> None:
    """Refuse, by name and before any weight is read, what is no stage II of the model in `first`.

    As `load.check_folder`, which `first` must have passed: the network is built of its config, held
    against the headers of its weights, and run once on shapes alone.

    Raises
    ------
    ModelFolderError : what `load.check_folder` refuses; a network that does not fit stage I; a noise level
        that the folder's schedule lacks.
    """
    import torch

    from verbatim.models.denoiser import Condition

    one, _ = load.assemble(first, family, None, "meta")
    two = _assemble(folder, family, one, settings, None)
    try:
        with torch.no_grad():
            x = torch.empty(1, *two.shape, device="meta")
            two.predict(x, 1.0, Condition(one.blank().states, {"low": x}))
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as err:
        line = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"{folder}: its network does not run on what stage I gives ({line}); it is of another kind "
            f"than family {family!r}: {cure_of(folder)}"
        ) from err


def load_upscaler(
    denoiser: Denoiser,
    folder_or_id: str | os.PathLike[str],
    settings: UpscalerSettings,
    family: str = "if",
    revision: str | None = None,
    memory: str = "full",
) -> None:
    """Give a loaded stage I its stage II: `sampling.generate` then gives stage II's images.

    Parameters
    ----------
    denoiser : stage I, from `load.load_denoiser`; its device, type and text encoder are taken.
    folder_or_id, revision : a diffusers folder, or a hub id in the local cache.
    settings : how stage II generates.
    memory : see `load.MEMORY`.

    Raises
    ------
    ModelFolderError : see `check_upscaler`; also broken, missing or unfitting weights.
    """
    folder = find_upscaler(folder_or_id, family, revision)
    upscaler = _assemble(folder, family, denoiser, settings, denoiser.dtype)
    if memory != "full":
        load.slice_attention(upscaler.unet)
    # one list for both stages: with `offload` the device holds one network of either
    networks = [*denoiser.networks, upscaler.unet]
    for stage in (denoiser, upscaler):
        stage.place(networks, offload=memory == "offload")
    denoiser.upscaler = upscaler
