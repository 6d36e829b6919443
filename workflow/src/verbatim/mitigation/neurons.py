"""Neurons that memorize, found and switched off: Hintersdorf et al. 2024 (NeMo; public code ml-research/localizing_memorization_in_diffusion_models).

A neuron is an output of the value projection of a cross-attention layer, on the way down or in the middle of a UNet. Its activation of
a prompt is the mean of |to_v(state)| over tokens, which needs no UNet. delta_k(B) is the stretched first prediction of noise k with the
neurons B off (`detectors.nemo_ssim`). For a prompt:

1. Noises whose delta is as alike to that of another noise as `limit` are kept; with none the prompt is not memorized.
2. B = neurons whose activation lies more than theta standard deviations from the mean over reference captions, and the k most
   active of each layer; theta falls from 5 by 0.25, and k rises from 0 by 1, until no kept delta_k(B) is more alike to delta_k than `limit`,
   or theta is 1. Then the likeness that was reached is the limit of what follows.
3. From the last layer to the first, a layer is switched on again if the likeness stays below the limit; then neuron by neuron.

The network that is released instead has the union of all prompts' neurons off. The paper also switches them off a prompt at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch

from verbatim.detectors.evaluations import OFFSET, step_levels
from verbatim.detectors.nemo_ssim import STEP, alike, stretch
from verbatim.models.cross_attention import list_layers
from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.noise import noise_of_seeds

THETA, THETA_STEP, LEAST_THETA = 5.0, 0.25, 1.0
SIDES = ("down_blocks.", "mid_block.")
Neurons = Mapping[str, Sequence[int]]  # layer -> outputs of its value projection


def value_layers(denoiser: Denoiser) -> dict[str, Any]:
    """The value projections that neurons are looked for in, by their layer, in the order of the network.

    Raises
    ------
    ValueError
        Where the denoiser has no such layers.
    """
    layers = list_layers(getattr(denoiser, "unet", None) or torch.nn.Module())
    found = {name: layers[name].to_v for side in SIDES for name in layers if name.startswith(side)}
    if not found:
        raise ValueError(
            "the network has no cross-attention of Stable Diffusion's kind: leave nemo out of mitigation.attacked.defences"
        )
    return found


@contextmanager
def switched_off(denoiser: Denoiser, neurons: Neurons) -> Iterator[None]:
    """While it is open, these neurons give 0. The weights stay as they are."""
    layers = value_layers(denoiser)

    def hook(places: torch.Tensor) -> Any:
        def silence(layer: Any, args: Any, out: torch.Tensor) -> torch.Tensor:
            return out.index_fill(-1, places.to(out.device), 0.0)

        return silence

    handles = [
        layers[name].register_forward_hook(hook(torch.tensor(sorted(places))))
        for name, places in neurons.items()
        if len(places)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def activations(denoiser: Denoiser, cond: Condition) -> dict[str, torch.Tensor]:
    """Layer -> activation of each of its neurons for each prompt, (n, neurons) float64."""
    layers = value_layers(denoiser)
    return {name: layer(cond.states).abs().double().mean(1).cpu() for name, layer in layers.items()}


@dataclass(frozen=True)
class Reference:
    """What prompts that are not memorized do.

    mean, deviation : layer -> (neurons,). limit : likeness of two noises' deltas above which a prompt counts as memorized: mean and one
    standard deviation over the reference captions.
    """

    mean: dict[str, torch.Tensor]
    deviation: dict[str, torch.Tensor]
    limit: float


class NeuronSearch:
    """The search for a denoiser's memorizing neurons.

    seeds : of the noises, at least two; the paper has 10.
    reference : captions, most of them not memorized; the paper has 50,000 of LAION's.

    Raises
    ------
    ValueError
        For a latent without room for three scales, fewer than two seeds, or fewer than two reference captions.
    """

    def __init__(self, denoiser: Denoiser, seeds: Sequence[int], reference: Sequence[str]):
        if len(seeds) < 2 or len(reference) < 2:
            raise ValueError(
                "mitigation.attacked.nemo: at least two seeds and two reference captions are needed"
            )
        self.denoiser = denoiser
        steps = 50  # of the generation whose second step is read; its timestep is 961 of 1,000
        self.sigma = step_levels(denoiser, min(steps, len(denoiser.sigmas) - OFFSET))[STEP]
        self.noise = noise_of_seeds(seeds, denoiser.shape).to(denoiser.device)
        cond = denoiser.encode(list(reference))
        found = activations(denoiser, cond)
        alikeness = torch.stack([self.likeness(cond[i])[1] for i in range(len(cond))])
        if not torch.isfinite(alikeness).all():
            raise ValueError(
                "the latent has no room for NeMo's similarity of three scales: leave nemo out of mitigation.attacked.defences"
            )
        self.reference = Reference(
            {name: one.mean(0) for name, one in found.items()},
            {name: one.std(0).clamp(min=1e-12) for name, one in found.items()},
            float(alikeness.mean() + alikeness.std()),
        )

    @torch.no_grad()
    def deltas(self, cond: Condition, off: Neurons) -> torch.Tensor:
        """delta of each noise for one prompt, (k, *shape): k rows."""
        root = (self.sigma**2 + 1.0) ** 0.5
        with switched_off(self.denoiser, off):
            eps = self.denoiser.predict(self.noise * root, self.sigma, cond)
        return stretch(eps - self.noise)

    def likeness(self, cond: Condition) -> tuple[torch.Tensor, torch.Tensor]:
        """delta of each noise for one prompt, (k, *shape); and how alike the most alike two are, a number."""
        deltas = self.deltas(cond, {})
        return deltas, _of_each(deltas).max()

    def search(self, prompt: str) -> dict[str, list[int]]:
        """The prompt's memorizing neurons by layer; {} where it is not memorized."""
        cond, limit = self.denoiser.encode([prompt]), self.reference.limit
        deltas = self.deltas(cond, {})
        kept = _of_each(deltas) > limit
        if not kept.any():
            return {}

        def still(off: Neurons) -> float:
            return float(alike(deltas[kept], self.deltas(cond, off)[kept]).max())

        off, reached = self._first(activations(self.denoiser, cond), limit, still)
        return refine(off, max(limit, reached), still)

    def _first(
        self, found: dict[str, torch.Tensor], limit: float, still: Any
    ) -> tuple[dict[str, list[int]], float]:
        """Neurons by theta and k that bring the likeness to the limit, or as near as theta 1 does; and the likeness."""
        theta, k, widest = THETA, 0, max(one.shape[1] for one in found.values())
        while True:
            off = {}
            for name, one in found.items():
                far = (one[0] - self.reference.mean[name]).abs() / self.reference.deviation[
                    name
                ] > theta
                most = one[0].topk(min(k, one.shape[1])).indices
                off[name] = sorted({*torch.nonzero(far).flatten().tolist(), *most.tolist()})
            reached = still(off)
            if reached <= limit or theta <= LEAST_THETA or k >= widest:
                return off, reached
            theta, k = max(LEAST_THETA, theta - THETA_STEP), k + 1


def _of_each(deltas: torch.Tensor) -> torch.Tensor:
    """How alike each noise's delta is to the most alike other one, (k,) float64."""
    pairs = list(combinations(range(len(deltas)), 2))
    a, b = (torch.tensor(side) for side in zip(*pairs, strict=True))
    found = alike(deltas[a], deltas[b])
    return torch.stack([found[(a == i) | (b == i)].max() for i in range(len(deltas))])


def refine(off: Neurons, limit: float, still: Any) -> dict[str, list[int]]:
    """Those of the neurons that are needed to keep the likeness, `still(neurons)`, below the limit."""
    kept = {name: list(places) for name, places in off.items() if len(places)}
    for name in reversed(list(kept)):
        without = {other: places for other, places in kept.items() if other != name}
        if still(without) < limit:
            kept = without
    for name in reversed(list(kept)):
        for neuron in list(kept[name]):
            without = kept | {name: [one for one in kept[name] if one != neuron]}
            if still(without) < limit:
                kept = without
    return {name: places for name, places in kept.items() if places}


def unite(found: Iterable[Neurons]) -> dict[str, list[int]]:
    """The union of several prompts' neurons, by layer, sorted."""
    union: dict[str, set[int]] = {}
    for one in found:
        for name, places in one.items():
            union.setdefault(name, set()).update(places)
    return {name: sorted(places) for name, places in sorted(union.items())}
