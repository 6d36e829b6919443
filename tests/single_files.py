"""Single files in the layout of the original code, made of diffusers pipelines.

The names are the inverse of diffusers' own rules (`diffusers.loaders.single_file_utils`): a test has diffusers read such a
file back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from verbatim.models.ldm_names import unet_names

VAE_RULES = [
    (r"(encoder|decoder)\.conv_norm_out\.", r"\1.norm_out."),
    (r"encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\.", r"encoder.down.\1.block.\2."),
    (r"encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
    (r"mid_block\.resnets\.0\.", "mid.block_1."), (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.", "mid.attn_1."), (r"conv_shortcut", "nin_shortcut"),
    (r"group_norm", "norm"), (r"\bto_q\b", "q"), (r"\bto_k\b", "k"), (r"\bto_v\b", "v"),
    (r"\bto_out\.0\b", "proj_out"),
]  # fmt: skip
CLIP_RULES = [
    (r"^embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"^embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^final_layer_norm\.", "ln_final."), (r"^encoder\.layers\.", "transformer.resblocks."),
    ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"), (r"self_attn\.out_proj", "attn.out_proj"),
]  # fmt: skip


def unet_keys(unet: Any) -> dict[str, Any]:
    names = unet_names(unet)
    return {
        f"model.diffusion_model.{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": weight
        for key, weight in unet.state_dict().items()
    }


def vae_keys(vae: Any, prefix: str = "first_stage_model.") -> dict[str, Any]:
    last, out = len(vae.config.up_block_types) - 1, {}
    for key, weight in vae.state_dict().items():
        name = re.sub(
            r"decoder\.up_blocks\.(\d+)\.(resnets\.(\d+)|upsamplers\.0)\.",
            lambda m: (
                f"decoder.up.{last - int(m[1])}." + (f"block.{m[3]}." if m[3] else "upsample.")
            ),
            key,
        )
        for rule, new in VAE_RULES:
            name = re.sub(rule, new, name)
        square = ".attn_1." in name and weight.ndim == 2  # the original code has convolutions there
        out[prefix + name] = weight[:, :, None, None] if square else weight
    return out


def text_keys(encoder: Any, prefix: str) -> dict[str, Any]:
    """As transformers saved them when such files came up: always under text_model."""
    plain = {key.removeprefix("text_model."): w for key, w in encoder.state_dict().items()}
    return {f"{prefix}text_model.{key}": weight for key, weight in plain.items()}


def open_clip_keys(encoder: Any, prefix: str) -> dict[str, Any]:
    plain = {key.removeprefix("text_model."): w for key, w in encoder.state_dict().items()}
    out, joined = {}, {}
    for key, weight in plain.items():
        if key == "text_projection.weight":
            out[prefix + "text_projection"] = weight.T
            continue
        name = key
        for rule, new in CLIP_RULES:
            name = re.sub(rule, new, name)
        found = re.search(r"self_attn\.([qkv])_proj\.(weight|bias)", name)
        if found:
            base = name[: found.start()] + f"attn.in_proj_{found[2]}"
            joined.setdefault(base, {})[found[1]] = weight
        else:
            out[prefix + name] = weight
    out |= {prefix + key: torch.cat([some[x] for x in "qkv"]) for key, some in joined.items()}
    return out


def keys_of(pipeline: Any) -> dict[str, Any]:
    """All weights of a pipeline of SD 1, 2 or XL by their keys in a single file."""
    out = unet_keys(pipeline.unet) | vae_keys(pipeline.vae)
    one = pipeline.text_encoder
    if hasattr(pipeline, "text_encoder_2"):
        out |= text_keys(one, "conditioner.embedders.0.transformer.")
        out |= open_clip_keys(pipeline.text_encoder_2, "conditioner.embedders.1.model.")
    elif one.config.num_hidden_layers == 23:
        out |= open_clip_keys(one, "cond_stage_model.model.")
    else:
        out |= text_keys(one, "cond_stage_model.transformer.")
    return out


def save_single(file: Path, keys: dict[str, Any], **metadata: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: weight.detach().clone().contiguous() for key, weight in keys.items()},
        file,
        metadata={"format": "pt"} | metadata,
    )
    return file
