"""A LoRA merged into the weights of a model: every key used, or refused by name.

Hu et al. 2021: W + s (alpha / r) B A, with A (`down`) of r rows and B (`up`) of r columns; s is the user's scale. Linear layers
and convolutions alike, these flattened over their kernel; with a middle weight M (LoCon's CP form) B A is the three contracted.
Keys as kohya's sd-scripts (`lora_unet_...`, underscores) and as diffusers and peft write them (`unet. ... .lora_A`). A table from
key to module is made of the model; nothing is read out of underscores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verbatim.models.hub import ModelFolderError
from verbatim.models.ldm_names import unet_names

# end of a key -> what the weight is
ENDS = {
    ".lora_down.weight": "down", ".lora_up.weight": "up", ".lora_mid.weight": "mid", ".alpha": "alpha",
    ".lora_A.weight": "down", ".lora_B.weight": "up",
    ".lora.down.weight": "down", ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down", ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down", "_lora.up.weight": "up",
}  # fmt: skip
# other ways to change a weight, by what their keys hold
OTHER_KINDS = {
    r"\.hada_[wt]\d": "LoHa", r"\.lokr_[wt]\d": "LoKr", r"dora_scale|lora_magnitude_vector": "DoRA",
    r"\.oft_|\.boft_": "OFT", r"\.diff(_b)?$": "a full difference of weights", r"\.on_input$|\.ia3_": "(IA)3",
    r"\.[wb]_norm$": "changed norms", r"^bundle_emb\.|string_to_param": "embeddings in a bundle",
    r"lora_B\.bias$|lora_up\.bias$": "a LoRA with biases", r"^glora|\.(a1|a2|b1|b2)\.weight$": "GLoRA",
}  # fmt: skip
# part of a model -> begins of its keys: dotted names, then kohya's
BEGINS = {
    "unet": ("unet.", "lora_unet_"),
    "transformer": ("transformer.", "lora_transformer_"),
    "text_encoder": ("text_encoder.", "lora_te_", "lora_te1_"),
    "text_encoder_2": ("text_encoder_2.", "lora_te2_"),
    "text_encoder_3": ("text_encoder_3.", "lora_te3_"),
}
TEXT = "text_model."  # in the keys of a CLIP encoder, whatever transformers calls its modules
ADAPTER = "lora_adapter_metadata"  # diffusers' entry of the metadata: r and alpha of each part


@dataclass(frozen=True)
class Lora:
    """A LoRA's file: shapes of its keys, its metadata, and alpha of the keys that have one."""

    file: Path
    shapes: Mapping[str, tuple[int, ...]]
    alphas: Mapping[str, float]
    metadata: Mapping[str, str]

    @property
    def base(self) -> str:
        """What kohya's trainer says of the base model, for messages."""
        said = self.metadata.get("ss_base_model_version", "")
        return f" (the file says that its base is {said})" if said else ""


@dataclass(frozen=True)
class Update:
    """The change of one weight: `part` and `module` of the model, the keys of A, B and M, and alpha / r."""

    part: str
    module: str
    down: str
    up: str
    mid: str | None
    factor: float


def read_lora(file: Path) -> Lora:
    """A LoRA's header and its alphas; raises ModelFolderError where the file is broken."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), "pt") as weights:
            keys = list(weights.keys())
            shapes = {key: tuple(weights.get_slice(key).get_shape()) for key in keys}
            alphas = {
                key: float(weights.get_tensor(key))
                for key in keys
                if key.endswith(".alpha") and _count(shapes[key]) == 1
            }
            metadata = dict(weights.metadata() or {})
    except (SafetensorError, OSError) as err:
        raise ModelFolderError(f"{file} is broken ({err}); fetch or copy the LoRA again") from err
    return Lora(file, shapes, alphas, metadata)


def _count(shape: Iterable[int]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product


def plan_lora(lora: Lora, networks: Mapping[str, Any]) -> list[Update]:
    """What a LoRA changes of these networks, from headers alone.

    Parameters
    ----------
    networks : part -> network, with weights or on "meta".

    Raises
    ------
    ModelFolderError : another kind of adapter, by its name; a key that no module of the model has; a module whose weights do
        not fit, the first by name; a group without both of its weights.
    """
    _check_kind(lora)
    tables = _module_tables(networks)
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for key in sorted(lora.shapes):
        end = next((end for end in ENDS if key.endswith(end)), None)
        if end is None:
            raise ModelFolderError(
                f"{lora.file}: the key {key} is of no LoRA that is known here; it would have no effect: use a plain LoRA"
            )
        group = key.removesuffix(end) + ("_lora" if end.startswith("_lora") else "")
        place = tables.get(group)
        if place is None:
            raise ModelFolderError(
                f"{lora.file}: the model has no module for {key}, so the LoRA is of another base model{lora.base}; name a "
                "LoRA of this one"
            )
        grouped.setdefault(place, {})[ENDS[end]] = key
    if not grouped:
        raise ModelFolderError(f"{lora.file} holds no weights; name another LoRA")
    settings = _adapter_settings(lora)
    return [
        _update(lora, part, module, keys, networks[part], settings)
        for (part, module), keys in grouped.items()
    ]


def _check_kind(lora: Lora) -> None:
    for key in sorted(lora.shapes):
        for pattern, kind in OTHER_KINDS.items():
            if re.search(pattern, key):
                raise ModelFolderError(
                    f"{lora.file} is {kind} ({key}), no plain LoRA; merge it into the checkpoint with the program that "
                    "made it, and name the merged checkpoint as source"
                )


def _module_tables(networks: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Begin of a key, without its end -> (part, module), of every layer that a LoRA can change."""
    import torch

    table: dict[str, tuple[str, str]] = {}
    for part, network in networks.items():
        if part not in BEGINS:
            continue
        dotted, *kohya = BEGINS[part]
        clip = "CLIPText" in type(network).__name__
        original = unet_names(network) if part == "unet" else {}
        for module, layer in network.named_modules():
            if not isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)):
                continue
            names = {module}
            if clip and not module.startswith(TEXT) and module != "text_projection":
                names.add(TEXT + module)
            for name in names:
                table[dotted + name] = (part, module)
                if old := _old_processor(name):
                    table[dotted + old] = (part, module)
            names |= {original[module]} if module in original else set()
            for begin in kohya:
                table |= {begin + name.replace(".", "_"): (part, module) for name in names}
    return table


def _old_processor(module: str) -> str | None:
    """The name that early versions of diffusers had for an attention's LoRA: ... .processor.to_q_lora."""
    found = re.fullmatch(r"(.*\.attn\d)\.(to_q|to_k|to_v|to_out)(\.0)?", module)
    return f"{found[1]}.processor.{found[2]}_lora" if found else None


def _adapter_settings(lora: Lora) -> dict[str, Any]:
    """What diffusers wrote of r and alpha, by "part.key"; empty where it wrote nothing."""
    try:
        said = json.loads(lora.metadata.get(ADAPTER, "{}"))
    except ValueError as err:
        raise ModelFolderError(f"{lora.file}: its metadata {ADAPTER} is broken ({err})") from err
    if not isinstance(said, dict):
        raise ModelFolderError(f"{lora.file}: its metadata {ADAPTER} is no JSON object")
    for key, value in said.items():
        if value and key.endswith(".use_dora"):
            raise ModelFolderError(
                f"{lora.file} is DoRA ({key} in its metadata), no plain LoRA; name a plain one"
            )
    return said


def _alpha(lora: Lora, part: str, module: str, rank: int, settings: dict[str, Any]) -> float:
    """alpha by the metadata of diffusers, else r."""
    patterns = settings.get(f"{part}.alpha_pattern") or {}
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return float(value)
    return float(settings.get(f"{part}.lora_alpha") or rank)


def _update(
    lora: Lora,
    part: str,
    module: str,
    keys: Mapping[str, str],
    network: Any,
    settings: dict[str, Any],
) -> Update:
    """The change of one module, its shapes checked."""
    for role in ("down", "up"):
        if role not in keys:
            raise ModelFolderError(
                f"{lora.file}: {next(iter(keys.values()))} stands without its {role} weight; fetch the LoRA again"
            )
    wanted = tuple(network.get_submodule(module).weight.shape)
    down, up = lora.shapes[keys["down"]], lora.shapes[keys["up"]]
    mid = lora.shapes[keys["mid"]] if "mid" in keys else None
    rank = down[0] if down else 0
    fits = bool(rank) and len(up) > 1 and up[0] == wanted[0] and _count(up[1:]) == rank
    if mid is None:
        fits = fits and _count(down[1:]) == _count(wanted[1:])
    else:
        fits = fits and _count(down[1:]) == wanted[1] and mid == (rank, rank, *wanted[2:])
    if not fits:
        raise ModelFolderError(
            f"{lora.file}: {keys['down']} {list(down)} and {keys['up']} {list(up)} do not fit {part} {module} "
            f"{list(wanted)}, so the LoRA is of another base model{lora.base}; name a LoRA of this one"
        )
    if "alpha" in keys:
        if keys["alpha"] not in lora.alphas:
            raise ModelFolderError(
                f"{lora.file}: {keys['alpha']} is no single number; fetch it again"
            )
        alpha = lora.alphas[keys["alpha"]] or float(rank)  # kohya: 0 means r
    else:
        alpha = _alpha(lora, part, module, rank, settings)
    factor = alpha / (rank**0.5 if settings.get(f"{part}.use_rslora") else rank)
    return Update(part, module, keys["down"], keys["up"], keys.get("mid"), factor)


def merge_lora(
    lora: Lora, updates: Iterable[Update], networks: Mapping[str, Any], scale: float
) -> None:
    """Add a LoRA to the networks' weights, in place: in float32, then in the weights' own type.

    updates : from `plan_lora`. scale : 1 is what it was trained with.
    """
    import torch
    from safetensors import safe_open

    with torch.no_grad(), safe_open(str(lora.file), "pt") as weights:
        for update in updates:
            weight = networks[update.part].get_submodule(update.module).weight
            down, up = (weights.get_tensor(key).float() for key in (update.down, update.up))
            if update.mid is None:
                change = up.flatten(1) @ down.flatten(1)
            else:
                mid = weights.get_tensor(update.mid).float()
                change = torch.einsum("oa,abkl,bi->oikl", up.flatten(1), mid, down.flatten(1))
            change = (scale * update.factor) * change.reshape(weight.shape)
            weight.copy_(weight.float() + change.to(weight.device))
