"""What a single file is, by its keys and shapes: the kinds that are loaded, and the others by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from verbatim.models.hub import ModelFolderError

UNET = "model.diffusion_model."
FIRST = UNET + "input_blocks.0.0.weight"
ATTENTION = ".attn2.to_k.weight"
CHANNELS = 4  # of the latent that SD 1, 2 and XL denoise
PREDICTIONS = ("epsilon", "v_prediction")
# of the metadata that Stability AI's model specification defines
SPEC = "modelspec.prediction_type"
SPOKEN = {
    "epsilon": "epsilon",
    "eps": "epsilon",
    "v": "v_prediction",
    "v_prediction": "v_prediction",
}
# begins of keys -> what such a file is, and what to do
OTHERS = {
    ("lora_unet_", "lora_te", "unet.down_blocks.", "transformer.transformer_blocks."): (
        "a LoRA", "name it in the column lora, and in source the checkpoint that it belongs to",
    ),
    (UNET + "joint_blocks.", "joint_blocks."): (
        "Stable Diffusion 3", "name its diffusers folder, or its hub id, as source, with the family flow",
    ),
    (UNET + "double_blocks.", "double_blocks."): (
        "FLUX", "name its diffusers folder, or its hub id, as source, with the family flow",
    ),
    ("down_blocks.", "transformer_blocks.", "encoder.down_blocks.", "text_model."): (
        "one network of a diffusers folder", "name the folder as source",
    ),
    ("control_model.",): ("a ControlNet", "use the text-to-image model alone"),
    ("first_stage_model.", "encoder.down.", "decoder.up."): (
        "an autoencoder alone", "name the whole checkpoint as source",
    ),
    ("edm_vpred.", "edm_mean", "edm_std"): (
        "a model of another noise schedule (EDM)", "use its diffusers folder, if its family is known here",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of single file.

    title : its name. family : of the models sheet. configs : folder of its configs under the shipped ones.
    prefixes : part -> begin of its keys. prediction : what the network predicts, "" where the kind does not say.
    zero_snr : whether its schedule ends at zero signal.
    """

    title: str
    family: str
    configs: str
    prefixes: Mapping[str, str]
    prediction: str
    zero_snr: bool = field(default=False)


_SHARED = {"unet": UNET, "vae": "first_stage_model."}
_SD2 = _SHARED | {"text_encoder": "cond_stage_model.model."}
SD1 = Kind(
    "Stable Diffusion 1", "sd", "sd1", _SHARED | {"text_encoder": "cond_stage_model.transformer."},
    "epsilon",
)  # fmt: skip
SD2 = Kind("Stable Diffusion 2", "sd", "sd2_base", _SD2, "")
SDXL = Kind(
    "Stable Diffusion XL", "sdxl", "sdxl",
    _SHARED | {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    "epsilon",
)  # fmt: skip
KINDS = (SD1, SD2, SDXL)


def recognise(
    file: Path,
    shapes: Mapping[str, tuple[tuple[int, ...], str]],
    metadata: Mapping[str, str],
    family: str,
    prediction: str,
) -> Kind:
    """The kind of a file, with what it predicts.

    Raises
    ------
    ModelFolderError : another kind, by its name; parts that are missing; another family than the sheet's; a prediction
        that nobody states, or that the sheet and the file state differently.
    """
    for begins, (what, cure) in OTHERS.items():
        named = begins[0].startswith(("edm", "control"))
        if any(key.startswith(begins) for key in shapes) and (named or FIRST not in shapes):
            raise ModelFolderError(f"{file} is {what}; {cure}")
    if FIRST not in shapes:
        first = next(iter(shapes), "none")
        raise ModelFolderError(
            f"{file}: none of its {len(shapes)} keys ({first} ...) is {FIRST}, so it is no checkpoint of Stable Diffusion "
            "1, 2 or XL; use one, or a diffusers folder"
        )
    _check_channels(file, shapes[FIRST][0])
    kind = _kind_of(file, shapes)
    if kind.family != family:
        raise ModelFolderError(
            f"{file} is {kind.title}, family {family!r} is not; set family to {kind.family!r} in the models sheet"
        )
    return _with_prediction(file, kind, shapes, metadata, prediction)


def _check_channels(file: Path, shape: tuple[int, ...]) -> None:
    channels = shape[1] if len(shape) == 4 else 0
    if channels == CHANNELS:
        return
    known = {
        9: "an inpainting model",
        8: "an instruct-pix2pix model",
        5: "a depth model",
        7: "an upscaler",
    }
    what = known.get(channels, "of no known kind")
    raise ModelFolderError(
        f"{file} is {what}: its UNet takes {channels} channels ({FIRST}), a text-to-image model {CHANNELS}; use the "
        "text-to-image model that it was made from"
    )


def _kind_of(file: Path, shapes: Mapping[str, object]) -> Kind:
    def has(prefix: str) -> bool:
        return any(key.startswith(prefix) for key in shapes)

    if has("conditioner.embedders.0.model.") and not has("conditioner.embedders.1."):
        raise ModelFolderError(
            f"{file} is the refiner of Stable Diffusion XL, which makes no image of noise; use the base model"
        )
    lacking = {}
    for kind in KINDS:
        lacking[kind.title] = [part for part, prefix in kind.prefixes.items() if not has(prefix)]
        if not lacking[kind.title]:
            return kind
    title, parts = min(lacking.items(), key=lambda item: len(item[1]))
    raise ModelFolderError(
        f"{file}: it has a UNet, but of {title} it lacks {', '.join(parts)}; use the checkpoint with its text encoder and "
        "VAE in it"
    )


def _with_prediction(
    file: Path,
    kind: Kind,
    shapes: Mapping[str, object],
    metadata: Mapping[str, str],
    asked: str,
) -> Kind:
    """The kind with what the network predicts: by the file's own marks, the sheet, the kind, in this order."""
    from dataclasses import replace

    said = "v_prediction" if "v_pred" in shapes else SPOKEN.get(metadata.get(SPEC, "").lower(), "")
    if said and asked and said != asked:
        where = "its key v_pred" if "v_pred" in shapes else f"its metadata {SPEC}"
        raise ModelFolderError(
            f"{file}: {where} says {said}, the column prediction {asked}; correct or empty the column"
        )
    prediction = said or asked or kind.prediction
    if prediction not in PREDICTIONS:
        raise ModelFolderError(
            f"{file} is {kind.title}, of which some models predict the noise and others v, and nothing in the file says "
            "which; write epsilon (the models of 512 pixels) or v_prediction (those of 768) in the column prediction"
        )
    configs = "sd2_v" if kind is SD2 and prediction == "v_prediction" else kind.configs
    return replace(kind, prediction=prediction, configs=configs, zero_snr="ztsnr" in shapes)
