"""SSCD's network in small: a residual network, GeM pooling, one linear layer, and a whitening that is learnt afterwards.

Pizzi et al. 2022, "A Self-Supervised Descriptor for Image Copy Detection". Group normalisation stands where SSCD has
batch normalisation: a vector does not depend on the other images of its batch, in training as afterwards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"
STEM, STRIDE = 7, 4  # ASSUME: side and stride of the first convolution, for images of 64 pixels
GROUPS = 8  # ASSUME: of a group normalisation; every width is a multiple of it
GEM = 3.0  # exponent of the pooling (Pizzi 2022, section 4.1)
LEAST = 1e-6  # of a feature before it is raised to the exponent, as in SSCD's code


class Block(nn.Module):
    """Two convolutions and a shortcut (He 2016), (n, before, h, w) to (n, width, h, w); halves h and w where it widens.

    The last weights start at 0, so that a block starts as its shortcut: what SSCD's weight of the entropy asks for.
    """

    def __init__(self, before: int, width: int):
        super().__init__()
        stride = 1 if width == before else 2
        last = nn.GroupNorm(GROUPS, width)
        nn.init.zeros_(last.weight)
        self.path = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            last,
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.GroupNorm(GROUPS, width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.path(x) + self.shortcut(x))


class CopyNetwork(nn.Module):
    """Images (n, 3, h, w), normalised, to vectors (n, dim) that are not of unit length yet.

    Parameters
    ----------
    channels
        Width of each stage, rising; a stage is one block, the first at a quarter of the image's side, each other one at
        half of the one before.
    dim
        Numbers a vector.
    whiten
        Whether vectors go through the whitening, which is the identity until `set_whitening`.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, channels: list[int], dim: int, whiten: bool):
        super().__init__()
        first = channels[0]
        self.trunk = nn.Sequential(
            nn.Conv2d(3, first, STEM, stride=STRIDE, padding=STEM // 2, bias=False),
            nn.GroupNorm(GROUPS, first),
            nn.ReLU(),
            *(Block(*widths) for widths in zip([first, *channels], channels, strict=False)),
        )
        self.head = nn.Linear(channels[-1], dim)
        self.whiten = whiten
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("matrix", torch.eye(dim))

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """Unit vectors (n, dim) before the whitening: what the training sees."""
        features = self.trunk(x.contiguous(memory_format=torch.channels_last))
        pooled = features.clamp(min=LEAST).pow(GEM).mean((2, 3)).pow(1 / GEM)
        return nn.functional.normalize(self.head(pooled), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        unit = self.raw(x)
        return (unit - self.mean) @ self.matrix.T if self.whiten else unit

    def set_whitening(self, vectors: torch.Tensor) -> None:
        """PCA whitening of unit vectors (n, dim), n above dim: what they are in all directions becomes equally wide."""
        wide = vectors.double()
        mean = wide.mean(0)
        values, axes = torch.linalg.eigh(torch.cov((wide - mean).T))
        scale = values.clamp(min=values.max() * 1e-6).rsqrt()
        self.mean.copy_(mean)
        self.matrix.copy_(scale[:, None] * axes.T)


def save_network(folder: Path, network: CopyNetwork, config: dict[str, Any]) -> None:
    """Write a network's folder: `config` (channels, dim, whiten, size, mean, std) and safetensors weights."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def load_network(folder: Path) -> tuple[CopyNetwork, dict[str, Any]]:
    """The network of a folder that `save_network` wrote, in evaluation mode, and its config.

    Raises
    ------
    KeyError, TypeError, ValueError, OSError, RuntimeError, SafetensorError
        Where one of the files is not what was written.
    """
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    network = CopyNetwork(config["channels"], config["dim"], config["whiten"])
    state = load_file(folder / WEIGHTS)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network.eval(), config
