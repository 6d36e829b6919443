"""Gradient descent of many prompts or noises at once, each of which stops for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from verbatim.models.denoiser import Condition, Denoiser


@dataclass(frozen=True)
class Descent:
    """steps : at most. rate : learning rate. target : value at which one stops, before a step."""

    steps: int
    rate: float
    target: float


def descend(
    values: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    how: Descent,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
) -> torch.Tensor:
    """`start`, (n, ...), moved until the value of each is at most the target: (n, ...), without a graph.

    One that is there at once stays as it is, and one that never gets there is taken as the last step left it. The moves of
    one do not depend on the others, because Adam scales each number by itself.

    Parameters
    ----------
    values : (n, ...) -> (n,), each a function of its own line alone, with a graph.
    """
    x = start.detach().clone().requires_grad_(True)
    final = start.detach().clone()
    open_ = torch.ones(len(x), dtype=torch.bool, device=x.device)
    stepper = optimizer([x], lr=how.rate)  # type: ignore[call-arg]  # every optimizer has it
    for step in range(how.steps + 1):
        with torch.enable_grad():
            found = values(x)
        final[open_] = x.detach()[open_]
        open_ &= found.detach() > how.target
        if step == how.steps or not open_.any():
            break
        (x.grad,) = torch.autograd.grad(found.sum(), x)
        stepper.step()
    return final


def first_change(
    denoiser: Denoiser, noise: torch.Tensor, cond: Condition, empty: Condition
) -> torch.Tensor:
    """eps_c - eps_u at the highest noise level of unit noise (n, *shape): (n, *shape); torch can differentiate it by the noise.

    empty : one prompt embedding for all, or n.
    """
    n, sigma = len(noise), denoiser.sigma_max
    both = Condition.cat(
        [cond if len(cond) == n else cond.repeat(n), empty if len(empty) == n else empty.repeat(n)]
    )
    eps = denoiser.predict_with_gradient(torch.cat([noise, noise]) * sigma, sigma, both)
    return eps[:n] - eps[n:]
