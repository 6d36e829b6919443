"""A prompt embedding that makes a model give back an image, whatever its prompts do: adversarial embeddings (DoRI, sprintml 2025).

min over y of E ||eps - eps_theta(x_t, t, y)||^2, x_t = x + sigma_t eps, with another noise and timestep at each step: the training loss of the image
itself, by which nothing but the prompt embedding moves. Adam at 0.1, 50 steps, 8 noises a step in the paper. It needs the
weights. An image that was never trained on needs ten times as many steps, so a search of few steps tells what a model holds from what
any network can be made to draw; `control` images show that here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.noise import stream_seed, unit_noise

STREAM = "adversarial embedding"


@dataclass(frozen=True)
class Search:
    """steps : of Adam. rate : learning rate. noises : in each step. seed : of noises and timesteps."""

    steps: int
    rate: float
    noises: int
    seed: int


def random_states(seeds: Sequence[int], like: Condition) -> Condition:
    """Starts of N(0, 1), one for each seed, in the shape of the states of `like`."""
    shape = like.states.shape[1:]
    states = torch.cat([unit_noise(seed, shape, STREAM) for seed in seeds])
    return Condition(states.to(like.states))


def find_embeddings(
    denoiser: Denoiser, latents: torch.Tensor, start: Condition, how: Search
) -> Condition:
    """The embedding that denoises each image best after `how.steps` steps from its start.

    Every image meets the same noises and timesteps, and moves by itself: Adam scales each number alone.

    Parameters
    ----------
    latents : (n, *shape), the images as the network sees them. start : n.

    Returns
    -------
    n conditions, without a graph. Rows: n * steps * noises, each with a gradient.
    """
    states = start.states.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([states], lr=how.rate)
    generator = torch.Generator().manual_seed(stream_seed(how.seed, STREAM))
    n, k = len(latents), how.noises
    x0 = latents.to(denoiser.device).repeat_interleave(k, 0)
    for _ in range(how.steps):
        places = torch.randint(len(denoiser.sigmas), (k,), generator=generator)
        noise = torch.randn((k, *denoiser.shape), generator=generator).to(denoiser.device)
        sigma, noise = denoiser.sigmas[places].repeat(n), noise.repeat(n, 1, 1, 1)
        x = x0 + sigma.to(denoiser.device, torch.float32).view(-1, 1, 1, 1) * noise
        with torch.enable_grad():
            cond = Condition(states, start.extra).repeat(k)
            error = denoiser.predict_with_gradient(x, sigma, cond) - noise
            loss = error.square().mean(dim=(1, 2, 3)).view(n, k).mean(1).sum()
        (states.grad,) = torch.autograd.grad(loss, states)
        optimizer.step()
    return Condition(states.detach(), start.extra)
