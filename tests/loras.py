"""LoRA of random numbers in the layouts that trainers write, for a pipeline's networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

RANK = 4
ALPHA = 2.0


def layers_of(network: Any, *ends: str) -> dict[str, Any]:
    """Linear layers and convolutions whose names end so, by name."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)) and name.endswith(ends)
    }


def pair(layer: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(down, up) of a layer: a convolution keeps its kernel in `down`, and `up` is 1 by 1."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return 0.1 * torch.randn(shape, generator=generator)

    out, *rest = layer.weight.shape
    if len(rest) == 1:
        return draw(RANK, rest[0]), draw(out, RANK)
    return draw(RANK, *rest), draw(out, RANK, 1, 1)


def save(file: Path, keys: dict[str, torch.Tensor], **metadata: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: weight.contiguous() for key, weight in keys.items()}, file, metadata or None)
    return file
