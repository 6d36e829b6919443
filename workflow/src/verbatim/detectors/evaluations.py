"""The network evaluations that the detectors share: each is made when a score first asks for it, and once.

The public code of Wen 2024, Jeon 2025, Ren 2024 and Chen 2025 makes its scores in a DDIM generation of 50 steps, "leading"
spacing, offset 1: timesteps 981, 961, ..., 1 of 1,000, from x_net = n, pure noise of unit variance. These are the steps here,
in the variables of `Denoiser` (x = root x_net, root = sqrt(sigma^2 + 1)), where DDIM is Euler's method. The first step of the
white-box stage (`sampling.first_eps`) is another one: timestep 999, x_net = 0.9977 n.

All prompts of a seed share its noise, so the unconditional prediction at pure noise is one row for each seed.

A rectified flow has the levels of its family, eps stands for the velocity v, and x_net is x.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch

from verbatim.detectors.attention_reader import Attention, AttentionReader
from verbatim.detectors.definitions import DetectorSettings
from verbatim.models.denoiser import Condition, Denoiser, check_unconditional
from verbatim.models.noise import unit_noise

OFFSET = 1  # of the timesteps; steps_offset of Stable Diffusion's scheduler


def step_levels(denoiser: Denoiser, steps: int) -> list[float]:
    """Noise levels of the steps, falling, without a last 0.

    Raises
    ------
    ValueError : more steps than trained timesteps.
    """
    own = denoiser.own_levels(steps)
    if own is not None:
        return own[:-1].tolist()
    trained = len(denoiser.sigmas)
    if not 1 <= steps < trained:
        raise ValueError(f"detectors.steps is {steps}; expected 1 to {trained - 1}")
    t = torch.arange(steps - 1, -1, -1) * (trained // steps) + OFFSET
    return denoiser.t_to_sigma(t).tolist()


@dataclass
class Gradients:
    """Products with the transposed Jacobian J = d eps / d x_net at pure noise, (n, *shape); None where nobody asks.

    of_own : J_c^T eps_c. of_change : (J_c - J_u)^T (eps_c - eps_u).
    """

    of_own: torch.Tensor | None
    of_change: torch.Tensor | None


class Shared:
    """What all prompts share of a seed: its noise, and predictions without a caption at pure noise."""

    def __init__(self, denoiser: Denoiser, steps: int):
        self.denoiser = denoiser
        self.levels = step_levels(denoiser, steps)
        self.empty = denoiser.encode([""])
        self.derivatives = 0
        self._noise: dict[int, torch.Tensor] = {}
        self._eps: dict[tuple[int, int], torch.Tensor] = {}
        self._gradient: dict[int, torch.Tensor] = {}

    def noise(self, seed: int) -> torch.Tensor:
        """x_net of the seed, (1, *shape)."""
        if seed not in self._noise:
            self._noise[seed] = unit_noise(seed, self.denoiser.shape).to(self.denoiser.device)
        return self._noise[seed]

    def root(self, step: int) -> float:
        """x / x_net at a step."""
        flow = self.denoiser.prediction_type == "velocity"
        return 1.0 if flow else (self.levels[step] ** 2 + 1.0) ** 0.5

    def eps(self, seed: int, step: int) -> torch.Tensor:
        """eps_u of pure noise told to be at a step, (1, *shape).

        Raises
        ------
        NetworkError : it is not finite.
        """
        if (seed, step) not in self._eps:
            x = self.noise(seed) * self.root(step)
            found = self.denoiser.predict(x, self.levels[step], self.empty)
            check_unconditional(found, self.denoiser.dtype)
            self._eps[seed, step] = found
        return self._eps[seed, step]

    def gradient(self, seed: int) -> torch.Tensor:
        """J_u^T eps_u at the first step, (1, *shape)."""
        if seed not in self._gradient:
            with torch.enable_grad():
                net = self.noise(seed).clone().requires_grad_(True)
                eps = self.denoiser.predict_with_gradient(
                    net * self.root(0), self.levels[0], self.empty
                )
                (found,) = torch.autograd.grad(eps, net, eps.detach())
            self._gradient[seed] = found
            self.derivatives += 1
        return self._gradient[seed]


class Evaluations:
    """What the detectors read of a batch of captions with one seed.

    rows and derivatives are counted where they are spent: network rows by the denoiser, derivatives by `derivatives`, a row
    that torch differentiates, forwards or backwards, each time.
    """

    def __init__(
        self,
        shared: Shared,
        settings: DetectorSettings,
        captions: Sequence[str],
        cond: Condition,
        seed: int,
    ):
        self.shared, self.settings, self.seed = shared, settings, seed
        self.denoiser, self.levels = shared.denoiser, shared.levels
        self.captions, self.cond = captions, cond
        self.derivatives = 0
        asks = self._asks("attention_entropy", "attention_entropy_late", "bright_ending")
        self._reader = AttentionReader(shared.denoiser, captions) if asks else None
        self.attention: list[Attention] = []
        self._x: list[torch.Tensor] = []
        self._c: list[torch.Tensor] = []
        self._changes: list[torch.Tensor] = []
        self._at_noise: dict[int, torch.Tensor] = {}

    def noise_variance(self, step: int) -> float:
        """1 - abar of a step."""
        return self.levels[step] ** 2 / (self.levels[step] ** 2 + 1.0)

    def _asks(self, *names: str) -> bool:
        return bool(set(names) & set(self.settings.scores))

    def start(self, step: int) -> torch.Tensor:
        """Pure noise told to be at a step, x (n, *shape)."""
        x = self.shared.noise(self.seed) * self.shared.root(step)
        return x.expand(len(self.cond), *x.shape[1:])

    def eps_at_noise(self, step: int) -> torch.Tensor:
        """eps_c of pure noise told to be at a step, (n, *shape): 1 row."""
        if step == 0:
            return self.eps(0)
        if step not in self._at_noise:
            found = self.denoiser.predict(self.start(step), self.levels[step], self.cond)
            self._at_noise[step] = found
        return self._at_noise[step]

    def eps(self, step: int) -> torch.Tensor:
        """eps_c at a step of the guided generation, (n, *shape)."""
        while len(self._c) <= step:
            i = len(self._c)
            if i == 0:
                self._x.append(self.start(0))
            else:
                self._x.append(self._next(i - 1))
            self._c.append(self._first() if i == 0 else self._predict(i))
            if self._reader:
                self.attention.append(self._reader.finish())
        return self._c[step]

    def _predict(self, step: int) -> torch.Tensor:
        with self._reading():
            return self.denoiser.predict(self._x[step], self.levels[step], self.cond)

    def _reading(self) -> AbstractContextManager[None]:
        return self._reader.reading() if self._reader else nullcontext()

    def _next(self, step: int) -> torch.Tensor:
        """x of the step after this one: Euler's method (Song et al. 2021, eq. 14), guided."""
        x, sigma = self._x[step], self.levels[step]
        eps = self.eps(step) + (self.settings.guidance - 1.0) * self.change(step)
        x0 = self.denoiser.threshold(x - sigma * eps)
        return x + (x - x0) / sigma * (self.levels[step + 1] - sigma)

    def change(self, step: int) -> torch.Tensor:
        """eps_c - eps_u at a step of the guided generation, (n, *shape)."""
        while len(self._changes) <= step:
            i = len(self._changes)
            c = self.eps(i)
            if i == 0:
                u = self.shared.eps(self.seed, 0)
            else:
                u = self.denoiser.predict(self._x[i], self.levels[i], self.shared.empty)
            self._changes.append(c - u)
        return self._changes[step]

    @cached_property
    def gradients(self) -> Gradients:
        """Made with the first prediction: see `_first`."""
        self.eps(0)
        return self._gradients

    def _first(self) -> torch.Tensor:
        """eps_c at pure noise; with a graph where a score needs the gradients, so that they cost no further row."""
        own, change = self._asks("hessian_difference"), self._asks("sharpness_transposed")
        if not (own or change):
            return self._predict(0)
        starts = range(0, len(self.cond), self.settings.gradient_batch)
        parts = [
            self._products(self.cond[i : i + self.settings.gradient_batch], own, change)
            for i in starts
        ]
        eps = torch.cat([part[0] for part in parts])
        overflowed = ~torch.isfinite(eps).flatten(1).all(1)

        def join(products: list[torch.Tensor | None]) -> torch.Tensor | None:
            some = [one for one in products if one is not None]
            if not some:
                return None
            return torch.cat(some).masked_fill(overflowed.view(-1, 1, 1, 1), torch.nan)

        self._gradients = Gradients(join([p[1] for p in parts]), join([p[2] for p in parts]))
        return eps

    def _products(
        self, cond: Condition, own: bool, change: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """eps_c of some captions at pure noise, and the products of `Gradients` that are asked for."""
        with self._reading():
            eps, net = self._with_graph(cond, len(cond))
        delta = eps.detach() - self.shared.eps(self.seed, 0)
        of_own = of_change = None
        if own:
            (of_own,) = torch.autograd.grad(eps, net, eps.detach(), retain_graph=change)
            self.derivatives += len(cond)
        if change:
            (of_change,) = torch.autograd.grad(eps, net, delta)
            empty, net = self._with_graph(self.shared.empty, len(cond))
            (less,) = torch.autograd.grad(empty, net, delta)
            of_change = of_change - less
            self.derivatives += 2 * len(cond)
        return eps.detach(), of_own, of_change

    def _with_graph(self, cond: Condition, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """eps of pure noise at the first step, (n, *shape), and x_net, the leaf that it is a function of."""
        with torch.enable_grad():
            net = self.shared.noise(self.seed).repeat(n, 1, 1, 1).requires_grad_(True)
            x = net * self.shared.root(0)
            return self.denoiser.predict_with_gradient(x, self.levels[0], cond), net

    def along(self, direction: torch.Tensor) -> torch.Tensor:
        """(J_c - J_u) direction at pure noise, (n, *shape): forward mode, exact; 2 rows, both differentiated."""
        from torch.autograd import forward_ad
        from torch.nn.attention import SDPBackend, sdpa_kernel

        net = self.shared.noise(self.seed).expand_as(direction)
        # the fused kernels of attention have no forward derivative
        with sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
            dual = forward_ad.make_dual(net.clone(), direction) * self.shared.root(0)
            answers = [
                self.denoiser.predict_with_gradient(dual, self.levels[0], cond)
                for cond in (self.cond, self.shared.empty)
            ]
            of_c, of_u = (forward_ad.unpack_dual(answer).tangent for answer in answers)
        self.derivatives += 2 * len(self.cond)
        return of_c - of_u

    def run_attention(self) -> list[Attention]:
        """Attention of every step of the generation."""
        self.eps(len(self.levels) - 1)
        return self.attention
