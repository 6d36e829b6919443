"""Noise from a seed alone, so that a score is the same in any shard, batch and order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch


def stream_seed(seed: int, stream: str) -> int:
    """Seed of a generator for one of several uses of a seed; `seed` itself for the stream "".

    Two generators of one seed give the same first numbers, whatever they are drawn for; noise of
    different uses must not agree.
    """
    if not stream:
        return int(seed)
    digest = hashlib.sha256(f"{int(seed)}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # a generator takes 63 bits


def unit_noise(seed: int, shape: Sequence[int], stream: str = "") -> torch.Tensor:
    """Gaussian noise of unit variance, (1, *shape), float32, a function of seed, shape and stream.

    The same for every caption, as in Webster's reference; drawn on the CPU, whose generator gives
    the same numbers on every machine (a GPU's depends on its kind).
    """
    generator = torch.Generator("cpu").manual_seed(stream_seed(seed, stream))
    return torch.randn((1, *shape), generator=generator, dtype=torch.float32)


def noise_of_seeds(seeds: Sequence[int], shape: Sequence[int], stream: str = "") -> torch.Tensor:
    """`unit_noise` of each seed, (len(seeds), *shape); a seed that occurs twice is drawn once."""
    drawn = {seed: unit_noise(seed, shape, stream) for seed in dict.fromkeys(seeds)}
    return torch.cat([drawn[seed] for seed in seeds])
