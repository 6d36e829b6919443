"""Names of a UNet's modules in the layout of the original code (LDM, SGM), which single files and kohya's LoRA use."""

from __future__ import annotations

import re
from typing import Any

# of a ResNet block, and of what stands outside the blocks
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
TOP = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip


def unet_names(unet: Any) -> dict[str, str]:
    """Module of a diffusers UNet2DConditionModel -> its name in the original layout, of every module with weights.

    The blocks that lead down are counted through, each layer and each change of size one; those that lead up likewise,
    a change of size being the last part of its layer.
    """
    layers = int(unet.config.layers_per_block)
    attended = {
        place
        for place, kind in enumerate(unet.config.up_block_types)
        if "Attn" in kind
    }  # fmt: skip
    names = {}
    for module, _ in unet.named_modules():
        name = TOP.get(module) or _in_block(module, layers, attended)
        if name:
            names[module] = name
    return names


def _in_block(module: str, layers: int, attended: set[int]) -> str | None:
    found = re.fullmatch(
        r"(?:(down|up)_blocks\.(\d+)|mid_block)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)",
        module,
    )
    if not found:
        return None
    way, block, kind, place, rest = found.groups()
    i, j = int(block or 0), int(place)
    inner = RESNET.get(rest) if kind == "resnets" else rest
    if inner is None:
        return None
    if way is None:
        return f"middle_block.{2 * j if kind == 'resnets' else 1}.{inner}"
    if kind == "downsamplers":
        return f"input_blocks.{(i + 1) * (layers + 1)}.0.op" if rest == "conv" else None
    if kind == "upsamplers":
        last = i * (layers + 1) + layers
        return f"output_blocks.{last}.{2 if i in attended else 1}.conv" if rest == "conv" else None
    side = (
        f"input_blocks.{1 + i * (layers + 1) + j}"
        if way == "down"
        else f"output_blocks.{i * (layers + 1) + j}"
    )
    return f"{side}.{0 if kind == 'resnets' else 1}.{inner}"
