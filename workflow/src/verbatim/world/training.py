"""One resumable training loop for every network of the embedded world.

A step's batch and noise are a function of (seed, step) alone, so a training that was killed and
resumed from its last checkpoint ends in the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from verbatim.io.atomic import new_file

log = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """A training cannot go on; the message says at which step and why."""


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step, the same however the training got there."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) & 0x7FFFFFFFFFFFFFFF)


def learning_rate(step: int, steps: int, peak: float, warm_up: int = 50) -> float:
    """Linear warm-up, then a cosine down to a fiftieth of `peak`."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    share = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))


def fingerprint(*things: Any) -> str:
    """Short digest of settings (as JSON), strings and arrays: equal things, equal digest."""
    digest = hashlib.sha256()
    for thing in things:
        if isinstance(thing, torch.Tensor):
            thing = thing.detach().cpu().numpy()
        if isinstance(thing, np.ndarray):
            digest.update(f"{thing.shape}{thing.dtype}".encode())
            digest.update(np.ascontiguousarray(thing).tobytes())
        elif isinstance(thing, (list, tuple)):
            digest.update(f"[{len(thing)}".encode())
            digest.update(fingerprint(*thing).encode())
        else:
            digest.update(json.dumps(thing, sort_keys=True).encode())
    return digest.hexdigest()[:32]


class Noised(NamedTuple):
    """One step's batch of a diffusion model: see `draw_noised`."""

    captions: torch.Tensor
    t: torch.Tensor
    noisy: torch.Tensor
    noise: torch.Tensor


def draw_noised(
    x: torch.Tensor, abar: torch.Tensor, settings: dict[str, Any], generator: torch.Generator
) -> Noised:
    """Draw rows, timesteps and noise for one step; Ho et al. 2020, algorithm 1.

    Parameters
    ----------
    x : (rows, c, h, w), clean samples. abar : (timesteps,).
    settings : batch, and p_empty, the share of captions dropped (Ho and Salimans 2022, algorithm 1)

    Returns
    -------
    captions : index of each row's caption, `len(x)` for a dropped one; t, noisy, noise of the batch
    """
    n = settings["batch"]
    rows = torch.randint(len(x), (n,), generator=generator)
    # stratified over the noise levels: the same expectation, a calmer loss
    t = ((torch.rand(n, generator=generator) + torch.arange(n)) / n * len(abar)).long()
    noise = torch.randn((n, *x.shape[1:]), generator=generator)
    empty = torch.rand(n, generator=generator) < settings["p_empty"]
    a = abar[t].view(-1, 1, 1, 1)
    noisy = a.sqrt() * x[rows] + (1 - a).sqrt() * noise
    return Noised(torch.where(empty, len(x), rows), t, noisy, noise)


def high_noise_weight(abar: torch.Tensor, low: float = 1.0, high: float = 5.0) -> torch.Tensor:
    """Weight of the squared error of epsilon at each timestep, (timesteps,): sigma, between two bounds.

    ASSUME: a small model learns what a whole image looks like late, as an even weight spends the
    training on the last fine steps. Chosen on a trial world, seed 0.
    """
    return ((1 - abar) / abar).sqrt().clamp(low, high)


@dataclass(frozen=True)
class TrainingRun:
    """How a training runs, whatever it trains.

    seed : decides batches and noise. device : "cpu" or "cuda".
    checkpoint : file to keep the state in, None for none; every : steps between two.
    tell : called with (step, loss, learning rate, seconds) after each step.
    """

    seed: int
    device: str = "cpu"
    checkpoint: Path | None = None
    every: int = 200
    tell: Callable[[int, float, float, float], None] = lambda *_: None

    def trainer(
        self, modules: dict[str, nn.Module], settings: dict[str, Any], data: Any
    ) -> Trainer:
        """A `Trainer` of these modules, see there."""
        return Trainer(modules, settings, self, data)


class Trainer:
    """Adam over some modules, an exponential moving average of their weights, and checkpoints.

    Parameters
    ----------
    modules : name -> module; all their parameters that require gradients are trained, in float32
    settings : steps; learning_rate, the highest; ema, decay of the average of the weights, 0 or absent for
        none: `finish` puts the average into the modules
    run : seed (through `step_generator`), device, to which the modules are moved until `finish`, and checkpoints
    data : what the training is a function of beside the above; a checkpoint that was made of other
        data or settings is not resumed
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        settings: Mapping[str, Any],
        run: TrainingRun,
        data: Any = None,
    ):
        steps, peak, ema = settings["steps"], settings["learning_rate"], settings.get("ema", 0.0)
        self.modules, self.steps, self.peak, self.seed = modules, steps, peak, run.seed
        self.decay, self.checkpoint, self.every = ema, run.checkpoint, run.every
        self.device = run.device
        for module in modules.values():
            module.to(run.device)
        self.params = {
            f"{name}.{key}": p
            for name, module in modules.items()
            for key, p in module.named_parameters()
            if p.requires_grad
        }
        values = list(self.params.values())
        self.optimizer = torch.optim.AdamW(
            values, lr=peak, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
        )
        self.average = [p.detach().clone() for p in values] if ema else []
        self.start = 0
        shapes = [(name, list(p.shape)) for name, p in self.params.items()]
        start = [p.detach() for p in values]
        self.fingerprint = fingerprint(shapes, start, steps, peak, run.seed, ema, data)
        if run.checkpoint is not None and run.checkpoint.exists():
            self._resume(run.checkpoint)

    def run(
        self, loss_of: Callable[[int, torch.Generator], torch.Tensor]
    ) -> Iterator[tuple[int, float, float, float]]:
        """Train; yields (step, loss, learning rate, seconds so far) after each step.

        loss_of(step, generator) computes the loss of one step from that generator's numbers alone.
        Raises TrainingError at the first loss that is not finite.
        """
        began = time.monotonic()
        for step in range(self.start, self.steps):
            rate = learning_rate(step, self.steps, self.peak)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss = loss_of(step, step_generator(self.seed, step))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise TrainingError(f"step {step}: the loss is {value}; lower the learning rate")
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.params.values(), 1.0)
            self.optimizer.step()
            if self.decay:
                # a young average follows fast, else the random start stays in it
                decay = min(self.decay, (1 + step) / (10 + step))
                with torch.no_grad():
                    torch._foreach_lerp_(self.average, list(self.params.values()), 1 - decay)
            if self.checkpoint is not None and (step + 1) % self.every == 0:
                self._save(self.checkpoint, step + 1)
            yield step, value, rate, time.monotonic() - began

    def finish(self) -> None:
        """Put the averaged weights into the modules, in evaluation mode."""
        with torch.no_grad():
            for p, mean in zip(self.params.values(), self.average, strict=bool(self.average)):
                p.copy_(mean)
        for module in self.modules.values():
            module.to("cpu").eval()

    def _save(self, path: Path, done: int) -> None:
        state = {f"param/{name}": p.detach() for name, p in self.params.items()}
        for name, p in self.params.items():
            state[f"m/{name}"] = self.optimizer.state[p]["exp_avg"]
            state[f"v/{name}"] = self.optimizer.state[p]["exp_avg_sq"]
        if self.average:
            for name, mean in zip(self.params, self.average, strict=True):
                state[f"ema/{name}"] = mean
        state["done"] = torch.tensor([done])
        tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        metadata = {"fingerprint": self.fingerprint, "sha256": _digest(tensors)}
        with new_file(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    def _resume(self, path: Path) -> None:
        try:
            with safe_open(path, "pt") as file:
                known = file.metadata() or {}
            if known.get("fingerprint") != self.fingerprint:
                return
            state = load_file(path)
        except SafetensorError as err:
            known, state, why = {}, {}, str(err)
        else:
            why = "its tensors have another checksum"
        if known.get("sha256") != _digest(state):
            log.warning("%s: a damaged checkpoint (%s); the training starts again", path, why)
            return
        state = {name: tensor.to(self.device) for name, tensor in state.items()}
        done = int(state["done"])
        with torch.no_grad():
            for i, (name, p) in enumerate(self.params.items()):
                p.copy_(state[f"param/{name}"])
                self.optimizer.state[p] = {
                    "step": torch.tensor(float(done)),
                    "exp_avg": state[f"m/{name}"].clone(),
                    "exp_avg_sq": state[f"v/{name}"].clone(),
                }
                if self.average:
                    self.average[i].copy_(state[f"ema/{name}"])
        self.start = done


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of tensors with their names, types and shapes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
