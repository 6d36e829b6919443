"""From a row of the models sheet to a `Denoiser`: the only file that may ask for a model's family.

Families: `sd` (a diffusers StableDiffusionPipeline) and `if` (a diffusers IFPipeline, stage I). A
model is a folder in diffusers' layout, or a hub id that is already in the local cache. Only
safetensors are read: no pickle, no code that comes with a model.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verbatim.diffusion.denoiser import Denoiser

PIPELINES = {"sd": "StableDiffusionPipeline", "if": "IFPipeline"}
COMPONENTS = {
    "sd": ("tokenizer", "text_encoder", "unet", "vae", "scheduler"),
    "if": ("tokenizer", "text_encoder", "unet", "scheduler"),
}
CONFIGS = {
    "tokenizer": "tokenizer_config.json",
    "text_encoder": "config.json",
    "unet": "config.json",
    "vae": "config.json",
    "scheduler": "scheduler_config.json",
}
WEIGHTS = {
    "text_encoder": "model",
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
}
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")
DTYPES = ("float32", "float16", "bfloat16")


class ModelFolderError(ValueError):
    """A model cannot be loaded; the message names the folder, the file and the cure."""


def find_folder(folder_or_id: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The model's folder: as given, or of a hub id in the local cache. Nothing is downloaded."""
    path = Path(folder_or_id)
    if path.is_dir():
        return path
    name = str(folder_or_id)
    if not re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", name):
        raise ModelFolderError(
            f"{name}: no such folder; correct the models sheet, or run the rule that trains it"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception as err:  # the hub's library raises many kinds for what is not cached
        at = f" --revision {revision}" if revision else ""
        cache = os.environ.get("HF_HUB_CACHE", "")  # the config's `hub_cache`, if one is set
        at += f" --cache-dir {cache}" if cache else ""
        raise ModelFolderError(
            f"{name}: neither a folder nor a model in the local hub cache; fetch it first: "
            f'hf download {name}{at} --include "*.json" "*.txt" "*.model" "*.safetensors"'
        ) from err


def check_folder(folder: Path, family: str) -> None:
    """Refuse, by name and before any weight is read, a folder that cannot be or must not be loaded.

    Raises ModelFolderError for: another pipeline than the family's, a missing component or file,
    weights that are pickles, a weights index that points elsewhere, code to be run from the folder.
    """
    if family not in PIPELINES:
        raise ModelFolderError(
            f"{folder}: family {family!r} cannot be run here; families: {', '.join(PIPELINES)}"
        )
    index = _read_json(folder, "model_index.json", "it is not a diffusers pipeline folder")
    found = index.get("_class_name")
    if isinstance(found, list):
        raise ModelFolderError(
            f"{folder}: model_index.json asks for code of its own ({found}); such models are not "
            f"run: use one that is a plain {PIPELINES[family]}"
        )
    if found != PIPELINES[family]:
        fits = [name for name, pipeline in PIPELINES.items() if pipeline == found]
        cure = f"set family to {fits[0]!r} in the models sheet" if fits else "use another model"
        raise ModelFolderError(
            f"{folder}: model_index.json says {found}, family {family!r} is a {PIPELINES[family]}; "
            + cure
        )
    for part in COMPONENTS[family]:
        if not (folder / part).is_dir():
            raise ModelFolderError(
                f"{folder}: the folder {part}/ is missing; fetch or train the model again"
            )
        config = _read_json(folder, f"{part}/{CONFIGS[part]}", "the component has no config")
        if "auto_map" in config:
            raise ModelFolderError(
                f"{folder}: {part}/{CONFIGS[part]} asks for code of its own (auto_map); such models "
                "are not run: use one whose classes are diffusers' and transformers'"
            )
        for file in sorted((folder / part).iterdir()):
            if file.suffix == ".py":
                raise ModelFolderError(
                    f"{folder}: {part}/{file.name} is code; models with code are not run: delete "
                    "the file if the model does without"
                )
            if file.suffix in PICKLES and part in WEIGHTS:
                raise ModelFolderError(
                    f"{folder}: {part}/{file.name} is not safetensors; a pickle can run code when "
                    f"opened. Delete it if {part}/{WEIGHTS[part]}.safetensors is there, else get "
                    "the model's safetensors revision or convert it elsewhere"
                )
        if part in WEIGHTS:
            _variant(folder, part)


def _variant(folder: Path, part: str) -> str | None:
    """None, or "fp16" where a component's weights exist in that variant only; checks any index."""
    stem = WEIGHTS[part]
    for variant in (None, "fp16"):
        dotted = f".{variant}" if variant else ""
        if (folder / part / f"{stem}{dotted}.safetensors").is_file():
            return variant
        name = f"{part}/{stem}.safetensors.index{dotted}.json"
        if (folder / name).is_file():
            files = set(_read_json(folder, name, "").get("weight_map", {}).values())
            for file in sorted(files):
                if not file.endswith(".safetensors") or Path(file).name != file:
                    raise ModelFolderError(
                        f"{folder}: {name} points to {file!r}; only safetensors beside it are read"
                    )
                if not (folder / part / file).is_file():
                    raise ModelFolderError(
                        f"{folder}: {part}/{file} is missing though {name} names it; fetch it again"
                    )
            return variant
    raise ModelFolderError(
        f"{folder}: {part}/{stem}.safetensors is missing; fetch the safetensors weights or train "
        "the model again"
    )


def _read_json(folder: Path, name: str, without: str) -> dict[str, Any]:
    try:
        data = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ModelFolderError(
            f"{folder}: {name} is missing, so {without}; give a folder in diffusers' layout"
        ) from err
    except (OSError, ValueError) as err:
        raise ModelFolderError(f"{folder}: {name} is broken ({err}); fetch it again") from err
    if not isinstance(data, dict):
        raise ModelFolderError(f"{folder}: {name} is not a JSON object; fetch it again")
    return data


def load_denoiser(
    folder_or_id: str | os.PathLike[str],
    family: str,
    device: str,
    dtype: str = "float32",
    revision: str | None = None,
) -> Denoiser:
    """Load a model for scoring and sampling.

    Parameters
    ----------
    folder_or_id : a diffusers folder, or a hub id in the local cache.
    family : "sd" or "if".
    device : "cpu" or "cuda".
    dtype : of weights and activations: float32, float16, bfloat16. Predictions come back float32.
    revision : of a hub id.

    Returns
    -------
    Denoiser, in evaluation mode. Convolutions are set to deterministic kernels, and float32 to
    true float32 (no TF32), for the whole process.

    Raises
    ------
    ModelFolderError : see `check_folder`; also broken, missing or unfitting weights.
    """
    if dtype not in DTYPES:
        raise ModelFolderError(f"{folder_or_id}: dtype {dtype!r} is unknown; {', '.join(DTYPES)}")
    folder = find_folder(folder_or_id, revision)
    check_folder(folder, family)

    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

    number = getattr(torch, dtype)
    config = _read_json(folder, "scheduler/scheduler_config.json", "")
    parts: dict[str, Any] = {
        "betas": _betas(folder, config),
        "prediction_type": config.get("prediction_type", "epsilon"),
        "device": device,
        "dtype": number,
        "tokenizer": _load_tokenizer(folder, family),
    }
    for part in COMPONENTS[family]:
        if part in WEIGHTS:
            model = _load_part(folder, family, part, number)
            parts[part] = model.to(device).eval().requires_grad_(False)
    _check_fit(folder, family, parts)
    if family == "sd":
        from verbatim.diffusion.latent import LatentDenoiser

        return LatentDenoiser(**parts)

    from verbatim.diffusion.pixel import PixelDenoiser

    # as DDPMScheduler.step: thresholding wins over clip_sample, whose default there is True
    if config.get("thresholding", False):
        how, bound = "dynamic", float(config.get("sample_max_value", 1.0))
    elif config.get("clip_sample", True):
        how, bound = "clip", float(config.get("clip_sample_range", 1.0))
    else:
        how, bound = "none", 1.0
    ratio = float(config.get("dynamic_thresholding_ratio", 0.995))
    return PixelDenoiser(**parts, thresholding=how, ratio=ratio, max_value=bound)


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


def _load_tokenizer(folder: Path, family: str) -> Any:
    from transformers import CLIPTokenizer, T5Tokenizer

    kind = {"sd": CLIPTokenizer, "if": T5Tokenizer}[family]
    files = [file.name for file in (folder / "tokenizer").iterdir()]
    needs = {"sd": ("tokenizer.json", "vocab.json"), "if": ("tokenizer.json", "spiece.model")}
    if not any(name in files for name in needs[family]):
        raise ModelFolderError(
            f"{folder}: tokenizer/ has neither {' nor '.join(needs[family])}; fetch it again"
        )
    try:
        return kind.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    except ImportError as err:
        raise ModelFolderError(
            f"{folder}: tokenizer/ needs a package that is not installed: pip install sentencepiece "
            f"protobuf ({str(err).strip().splitlines()[0]})"
        ) from err
    except Exception as err:  # transformers raises many kinds for broken files
        raise ModelFolderError(f"{folder}: tokenizer/ is broken ({err}); fetch it again") from err


def _load_part(folder: Path, family: str, part: str, number: Any) -> Any:
    """One network of the pipeline, refused if any of its weights is missing or does not fit."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, T5EncoderModel

    kind: Any = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}.get(part)
    if kind is None:
        kind, asked = {"sd": CLIPTextModel, "if": T5EncoderModel}[family], {"dtype": number}
    else:
        asked = {"torch_dtype": number}
    try:
        model, report = kind.from_pretrained(
            str(folder / part),
            variant=_variant(folder, part),
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **asked,
        )
    except Exception as err:  # both libraries raise many kinds for broken files
        first = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise ModelFolderError(
            f"{folder}: {part}/ cannot be loaded as {kind.__name__} ({first}); fetch it again or "
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


def _check_fit(folder: Path, family: str, parts: dict[str, Any]) -> None:
    """The components' sizes must fit each other, else a score fails in the middle of a job."""
    unet, text = parts["unet"].config, parts["text_encoder"].config
    if unet.sample_size is None:
        raise ModelFolderError(f"{folder}: unet/config.json has no sample_size; add it")
    want = unet.in_channels
    if family == "sd":
        have, where = parts["vae"].config.latent_channels, "vae/config.json latent_channels"
    else:
        have, where = 3, "the channels of a picture,"
    if want != have:
        raise ModelFolderError(
            f"{folder}: unet/config.json in_channels is {want}, but {where} is {have}; the folder "
            "mixes two models (or is an inpainting one): fetch it again"
        )
    outs = (want,) if family == "sd" else (want, 2 * want)
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
