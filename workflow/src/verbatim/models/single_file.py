"""A checkpoint in one .safetensors file, in the layout of the original code: recognised, checked by name, converted.

As CivitAI, A1111 and ComfyUI keep them: Stable Diffusion 1.x, 2.x and XL. A file has no config, tokenizer or schedule: these
are shipped for each kind (`RESOURCES`), or a folder of the user's. The keys are converted by diffusers' own rules, on
"meta" first: a key that no rule takes, a weight that is missing and one of another shape are refused by name, where
diffusers' own loader drops them or fails later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from verbatim.models import schedule
from verbatim.models.files import read_json
from verbatim.models.hub import ModelFolderError
from verbatim.models.single_file_kinds import Kind, recognise
from verbatim.models.weights import FLOATS, build_on_meta, fill_network

RESOURCES = Path(__file__).resolve().parents[3] / "resources" / "checkpoints"
# carried by published files and needed by no score: the averaged copy of the weights, buffers of the schedule and of
# training, what a text encoder is trained with, the last block of SD 2's encoder, whose output is not used
UNUSED = re.compile(
    r"model_ema\..*|(sqrt_|log_|posterior_|alphas_cumprod|lvlb_).*|betas|logvar|scale_factor|v_pred|ztsnr|denoiser\.sigmas|"
    r".*\.(position_ids|logit_scale|attn_mask)|first_stage_model\.(loss|quantize)\..*|"
    r"cond_stage_model\.model\.(text_projection|transformer\.resblocks\.23\..*)|"
    r"(cond_stage_model|conditioner\.embedders\.0)\.transformer\.(vision_model|visual_projection|text_projection)\..*"
)
# begins of keys that other programs write -> present ones: A1111 renames the first, of early files, whose text encoder
# had no text_model; diffusers knows both names of the autoencoder
OLD = {
    r"^cond_stage_model\.transformer\.(embeddings|encoder|final_layer_norm)\.": r"cond_stage_model.transformer.text_model.\1.",
    r"^vae\.(encoder|decoder|quant_conv|post_quant_conv)\.": r"first_stage_model.\1.",
}
SCHEDULE_TOLERANCE = 1e-3  # ASSUME: half precision keeps a number below 1 to 5e-4


@dataclass(frozen=True)
class Header:
    """What a file says without its numbers: key -> (shape, type), and its metadata. Old keys have their present names.

    names : present name -> the key in the file.
    """

    shapes: Mapping[str, tuple[tuple[int, ...], str]]
    metadata: Mapping[str, str]
    names: Mapping[str, str]


def read_header(file: Path) -> Header:
    """The header of a safetensors file; raises ModelFolderError if it is broken."""
    from safetensors import SafetensorError, safe_open

    shapes, names = {}, {}
    try:
        with safe_open(str(file), "pt") as weights:
            for key in weights.keys():  # noqa: SIM118
                piece = weights.get_slice(key)
                name = key
                for old, present in OLD.items():
                    name = re.sub(old, present, name)
                shapes[name] = (tuple(piece.get_shape()), str(piece.get_dtype()))
                names[name] = key
            metadata = weights.metadata() or {}
    except (SafetensorError, OSError) as err:
        raise ModelFolderError(f"{file} is broken ({err}); fetch or copy the file again") from err
    return Header(shapes, metadata, names)


@dataclass(frozen=True)
class SingleFile:
    """A recognised file: it stands for the files of a folder, whose configs are in `configs`."""

    file: Path
    header: Header
    kind: Kind
    configs: Path

    def scheduler(self, config: dict[str, Any]) -> dict[str, Any]:
        """The scheduler's config with what the file says of it: prediction and zero terminal SNR."""
        config = config | {"prediction_type": self.kind.prediction}
        if self.kind.zero_snr:
            config = config | {"rescale_betas_zero_snr": True}
        self._check_schedule(config)
        return config

    def _check_schedule(self, config: dict[str, Any]) -> None:
        """Refuse a file whose own noise schedule is another than the config's."""
        import torch
        from safetensors import safe_open

        if "alphas_cumprod" not in self.header.shapes:
            return
        with safe_open(str(self.file), "pt") as weights:
            given = weights.get_tensor("alphas_cumprod").double()
        abar = torch.cumprod(1.0 - schedule.read_betas(self.configs, config).double(), dim=0)
        if given.shape != abar.shape or float((given - abar).abs().max()) > SCHEDULE_TOLERANCE:
            raise ModelFolderError(
                f"{self.file}: its own noise schedule (alphas_cumprod) is another than that of "
                f"{self.configs}; name a folder with its configs in the column configs"
            )

    def network(self, part: str, full_name: str, dtype: Any) -> Any:
        """One network; with dtype None on "meta". Raises ModelFolderError as `weights.check_network`."""
        import torch

        config = read_json(self.configs, f"{part}/config.json", "the component has no config")
        prefix = self.kind.prefixes[part]
        keys = [key for key in self.header.shapes if key.startswith(prefix)]
        shapes = {key: self.header.shapes[key] for key in keys}
        empty = {key: torch.empty(shape, device="meta") for key, (shape, _) in shapes.items()}
        converted = _convert(self.kind, part, config, empty)
        _check_consumed(self.file, part, prefix, empty, converted)
        for key, (_, kind) in shapes.items():
            if kind not in FLOATS and not UNUSED.fullmatch(key):
                raise ModelFolderError(
                    f"{self.file}: the weight {key} is of type {kind}, a quantized one; use a file with floating point "
                    "weights"
                )
        found = {key: (tuple(weight.shape), "F32") for key, weight in converted.items()}
        model = build_on_meta(self.file, part, full_name, config, found)
        if dtype is None:
            return model
        from safetensors import safe_open

        with safe_open(str(self.file), "pt") as weights:
            real = {key: weights.get_tensor(self.header.names[key]) for key in keys}
        return fill_network(full_name, config, _convert(self.kind, part, config, real), dtype)


def open_single_file(
    file: Path, family: str, prediction: str = "", configs: Path | None = None
) -> SingleFile:
    """A single file of a family, recognised and with every key known; no weight is read.

    Parameters
    ----------
    prediction : "epsilon" or "v_prediction", where the file does not say it; empty: the file says it, or its kind does.
    configs : a folder in diffusers' layout with configs and tokenizers; None: those shipped for the kind.

    Raises
    ------
    ModelFolderError : a file of another kind, named; a key that nothing takes.
    """
    header = read_header(file)
    kind = recognise(file, header.shapes, header.metadata, family, prediction)
    unknown = sorted(
        key
        for key in header.shapes
        if not key.startswith(tuple(kind.prefixes.values())) and not UNUSED.fullmatch(key)
    )
    if unknown:
        raise ModelFolderError(
            f"{file}: {len(unknown)} keys are of no part of {kind.title}, {unknown[0]} first; they would have no "
            "effect: use the model's plain file"
        )
    return SingleFile(file, header, kind, configs or RESOURCES / kind.configs)


def _convert(
    kind: Kind, part: str, config: dict[str, Any], weights: dict[str, Any]
) -> dict[str, Any]:
    """Keys and weights of one part in diffusers' layout, by the rules of diffusers.loaders.single_file_utils."""
    from diffusers.loaders import single_file_utils as rules

    if part == "unet":
        converted = rules.convert_ldm_unet_checkpoint(weights, config)
    elif part == "vae":
        converted = rules.convert_ldm_vae_checkpoint(weights, config)
    elif kind.prefixes[part].endswith(".transformer."):
        converted = rules.convert_ldm_clip_checkpoint(weights)
    else:
        model = SimpleNamespace(config=SimpleNamespace(hidden_size=config["hidden_size"]))
        converted = rules.convert_open_clip_checkpoint(model, weights, kind.prefixes[part])
    return {
        key: weight
        for key, weight in converted.items()
        if not key.endswith("position_ids")
        and (part != "text_encoder" or "text_projection" not in key)
    }


def _check_consumed(
    file: Path, part: str, prefix: str, given: Mapping[str, Any], converted: Mapping[str, Any]
) -> None:
    """Refuse keys that the rules of conversion have dropped.

    A rule hands a weight on as it is, or a view of it. It cuts and turns those of open_clip's encoder alone, of which
    it takes all under `transformer.`; what it makes of an unknown one is found by name afterwards.
    """
    kept = {id(weight) for weight in converted.values()}
    kept |= {id(weight._base) for weight in converted.values() if weight._base is not None}
    dropped = sorted(
        key
        for key, weight in given.items()
        if id(weight) not in kept
        and not UNUSED.fullmatch(key)
        and not key.startswith(prefix + "transformer.")
        and key != prefix + "text_projection"
    )
    if dropped:
        raise ModelFolderError(
            f"{file}: {len(dropped)} weights of its {part} are unknown, {dropped[0]} first; they would have no effect: "
            "the file is of another architecture, use a plain one"
        )
