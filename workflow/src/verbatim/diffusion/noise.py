"""Noise from a seed alone, so that a score is the same in any shard, batch and order."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def unit_noise(seed: int, shape: Sequence[int]) -> torch.Tensor:
    """Gaussian noise of unit variance, (1, *shape), float32, a function of `seed` and `shape`.

    The same for every caption, as in Webster's reference; drawn on the CPU, whose generator gives
    the same numbers on every machine (a GPU's depends on its kind).
    """
    generator = torch.Generator("cpu").manual_seed(int(seed))
    return torch.randn((1, *shape), generator=generator, dtype=torch.float32)


def noise_of_seeds(seeds: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """`unit_noise` of each seed, (len(seeds), *shape); a seed met twice is drawn once."""
    drawn = {seed: unit_noise(seed, shape) for seed in dict.fromkeys(seeds)}
    return torch.cat([drawn[seed] for seed in seeds])
