"""The weights of one network: checked against its architecture by the files' headers, then loaded.

Both libraries fill a weight that is missing with random numbers and drop one that they do not know (an
unmerged LoRA). `check_network` finds these by name in a second, from the headers alone; `load_network`
does the same check first, and then hands the library a folder of exactly these files.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from verbatim.models.files import cure_of, link_part, read_json
from verbatim.models.hub import ModelFolderError

# weights that published files carry and no score needs: a buffer of old transformers; the projection and
# the image tower of a whole CLIP; the decoder of a whole T5
HARMLESS = {
    "CLIPTextModel": r"(.*\.)?position_ids|text_projection\..*|logit_scale|vision_model\..*|visual_projection\..*",
    "CLIPTextModelWithProjection": r"(.*\.)?position_ids|logit_scale|vision_model\..*|visual_projection\..*",
    "T5EncoderModel": r"decoder\..*|lm_head\..*",
}
# keys by which a config asks for code or for another arithmetic than its own weights'
FOREIGN = ("auto_map", "quantization_config", "custom_pipelines")
ATTENTION = ("_attn_implementation", "attn_implementation", "_attn_implementation_internal")
MAX_SIDE = 4096  # of what a network takes, in its own pixels
FLOATS = {"F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2"}


def load_class(full_name: str) -> Any:
    """The class of "library.Class"."""
    library, name = full_name.split(".")
    return getattr(importlib.import_module(library), name)


def read_headers(
    folder: Path, part: str, files: Mapping[str, str]
) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of each weight of a component, from the headers of its safetensors files.

    files : from `files.part_files`.

    Raises
    ------
    ModelFolderError : a file is cut off or broken, or holds a weight of another file.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[tuple[int, ...], str]] = {}
    for file in (f for f in files.values() if f.endswith(".safetensors")):
        try:
            with safe_open(str(folder / part / file), "pt") as weights:
                for key in weights.keys():  # noqa: SIM118
                    piece = weights.get_slice(key)
                    if key in shapes:
                        raise ModelFolderError(
                            f"{folder}: {part}/{file}: {key} is in two of the files; {cure_of(folder)}"
                        )
                    shapes[key] = (tuple(piece.get_shape()), str(piece.get_dtype()))
        except (SafetensorError, OSError) as err:
            raise ModelFolderError(
                f"{folder}: {part}/{file} is broken ({err}); {cure_of(folder)}"
            ) from err
    return shapes


def _check_config(folder: Path, part: str, name: str, config: dict[str, Any], weights: int) -> None:
    """Refuse a config that asks for code, for quantization, or for sizes that only cost memory."""
    file = f"{part}/config.json"
    for key in FOREIGN:
        if key in config and config[key] is not None:
            raise ModelFolderError(
                f"{folder}: {file} asks for code or weights of another kind ({key}); such models are "
                "not run: use one whose classes are diffusers' and transformers', in plain weights"
            )
    for key in ATTENTION:
        if config.get(key) not in (None, "eager", "sdpa"):
            raise ModelFolderError(
                f"{folder}: {file} asks for code of its own ({key} {config[key]!r}); take the key out"
            )
    stated = config.get("_class_name", name)
    if stated != name:
        raise ModelFolderError(
            f"{folder}: {file} is of a {stated!r}, the family has a {name} there; use another model"
        )
    for key, value in config.items():
        for number in _numbers(value) if "layers" in key else ():
            if number > max(weights, 1):
                raise ModelFolderError(
                    f"{folder}: {file} has {key} {number}, more layers than there are weights "
                    f"({weights}); {cure_of(folder)}"
                )
    for number in _numbers(config.get("sample_size")):
        if not 1 <= number <= MAX_SIDE:
            raise ModelFolderError(
                f"{folder}: {file} has sample_size {config['sample_size']!r}; from 1 to {MAX_SIDE}"
            )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _numbers(one)


def check_network(folder: Path, part: str, full_name: str, files: Mapping[str, str]) -> Any:
    """One network without its weights, after these have been found to be exactly what it needs.

    Parameters
    ----------
    full_name : "library.Class". files : from `files.part_files`.

    Returns
    -------
    The network on the device "meta": shapes and config, no numbers.

    Raises
    ------
    ModelFolderError : a config that cannot be built, or weights that are missing, unknown, or of another
        shape, by name.
    """
    config = read_json(folder, f"{part}/config.json", "the component has no config")
    return build_on_meta(folder, part, full_name, config, read_headers(folder, part, files))


def build_on_meta(
    folder: Path,
    part: str,
    full_name: str,
    config: dict[str, Any],
    shapes: Mapping[str, tuple[tuple[int, ...], str]],
) -> Any:
    """`check_network` of weights that are known by name, shape and type.

    folder : where the weights are, for messages; it may be a single file.
    """
    import torch

    library, name = full_name.split(".")
    _check_config(folder, part, name, config, len(shapes))
    harmless = re.compile(HARMLESS.get(name, r"(?!)"))
    for key, (_, kind) in shapes.items():
        if kind not in FLOATS and not harmless.fullmatch(key):
            raise ModelFolderError(
                f"{folder}: {part}/: the weight {key} is of type {kind}, a quantized one; use a model with "
                "floating point weights"
            )
    found = {key: torch.empty(shape, device="meta") for key, (shape, _) in shapes.items()}
    try:
        with _quiet():
            if library == "transformers":
                model, report = _meta_transformers(load_class(full_name), config, found)
            else:
                model, report = _meta_diffusers(load_class(full_name), config, found)
    except (ArithmeticError, AttributeError, ImportError, LookupError, NotImplementedError,
            OSError, RuntimeError, TypeError, ValueError) as err:  # fmt: skip
        first = (str(err).strip().splitlines() or [""])[0]
        raise ModelFolderError(
            f"{folder}: {part}/config.json cannot be built as {name} "
            f"({type(err).__name__}: {first}); {cure_of(folder)}"
        ) from err
    _check_report(folder, part, name, report)
    return model


def _meta_transformers(kind: Any, config: dict[str, Any], found: dict[str, Any]) -> tuple[Any, Any]:
    """The library's own loader on weights without numbers: it renames and ties them as it will later."""
    return kind.from_pretrained(
        None,
        config=kind.config_class.from_dict(config),
        state_dict=found,
        device_map="meta",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        local_files_only=True,
    )


def _meta_diffusers(kind: Any, config: dict[str, Any], found: dict[str, Any]) -> tuple[Any, Any]:
    import torch
    from diffusers.models.modeling_utils import no_init_weights

    # a network without numbers needs no random ones: they would cost two fifths of the time
    with torch.device("meta"), no_init_weights():
        model = kind.from_config(config)
    # what from_pretrained does to the keys of old checkpoints (attention of the VAE)
    model._fix_state_dict_keys_on_load(found)
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in found.items()}
    return model.eval(), {
        "missing_keys": wanted.keys() - given.keys(),
        "unexpected_keys": given.keys() - wanted.keys(),
        "mismatched_keys": [
            (key, given[key], wanted[key])
            for key in sorted(wanted.keys() & given.keys())
            if wanted[key] != given[key]
        ],
    }


def _check_report(folder: Path, part: str, name: str, report: Mapping[str, Any]) -> None:
    """Raises ModelFolderError for what a loading report says of missing, unknown and unfitting weights."""
    missing = sorted(map(str, report["missing_keys"]))
    if missing:
        raise ModelFolderError(
            f"{folder}: {part}/ lacks {len(missing)} weights, {missing[0]} first; {cure_of(folder)}"
        )
    unfit = sorted((str(key), tuple(a), tuple(b)) for key, a, b in report["mismatched_keys"])
    if unfit:
        key, has, wants = unfit[0]
        raise ModelFolderError(
            f"{folder}: {part}/: {len(unfit)} weights are of another shape than config.json says, {key} "
            f"first: {list(has)} instead of {list(wants)}; the folder mixes two models: {cure_of(folder)}"
        )
    harmless = re.compile(HARMLESS.get(name, r"(?!)"))
    unknown = sorted(k for k in map(str, report["unexpected_keys"]) if not harmless.fullmatch(k))
    if unknown:
        lora = [key for key in unknown if "lora" in key.lower() or ".base_layer." in key]
        cure = (
            "a LoRA that is not merged would have no effect: merge it into the weights"
            if lora
            else "they would have no effect: use the model's plain weights"
        )
        raise ModelFolderError(
            f"{folder}: {part}/ has {len(unknown)} weights that {name} does not know, "
            f"{(lora or unknown)[0]} first; {cure}"
        )


def load_network(
    folder: Path, part: str, full_name: str, files: Mapping[str, str], dtype: Any
) -> Any:
    """One network with its weights, from exactly these files.

    Parameters
    ----------
    folder, part, full_name, files : as for `check_network`, whose refusals it shares.
    dtype : torch.dtype of the weights.
    """
    from safetensors import SafetensorError

    library, name = full_name.split(".")
    check_network(folder, part, full_name, files)
    asked = {"dtype" if library == "transformers" else "torch_dtype": dtype}
    with tempfile.TemporaryDirectory(prefix="verbatim-") as place, _quiet():
        linked = link_part(folder, part, files, Path(place) / part)
        try:
            model, report = load_class(full_name).from_pretrained(
                str(linked),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                **asked,
            )
        except (KeyError, OSError, SafetensorError, TypeError, ValueError) as err:
            first = (str(err).strip().splitlines() or [type(err).__name__])[0]
            raise ModelFolderError(
                f"{folder}: {part}/ cannot be loaded as {name} "
                f"({first.replace(str(linked), part)}); {cure_of(folder)}"
            ) from err
    _check_report(folder, part, name, {"mismatched_keys": (), **report})
    return model.eval().requires_grad_(False)


def fill_network(
    full_name: str, config: dict[str, Any], weights: dict[str, Any], dtype: Any
) -> Any:
    """One network with these weights, which `build_on_meta` has found to be exactly what it needs.

    weights : name -> tensor; emptied as they are used. dtype : torch.dtype of the network.
    """
    library, _ = full_name.split(".")
    kind = load_class(full_name)
    with _quiet():
        if library == "transformers":
            model = kind.from_pretrained(
                None,
                config=kind.config_class.from_dict(config),
                state_dict=weights,
                dtype=dtype,
                local_files_only=True,
            )
        else:
            from accelerate import init_empty_weights
            from diffusers.models.modeling_utils import no_init_weights

            with init_empty_weights(include_buffers=False), no_init_weights():
                model = kind.from_config(config)
            model._fix_state_dict_keys_on_load(weights)
            for name in list(weights):
                weights[name] = weights[name].to(dtype)
            model.load_state_dict(weights, strict=True, assign=True)
    return model.eval().requires_grad_(False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No reports and bars of the libraries: what matters in them is raised."""
    import logging

    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    from transformers.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
