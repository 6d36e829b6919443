"""Trains one point of the study: a small latent model, drawn, told and disturbed as the point says.

The loop and its checkpoints, the VAE, the text encoder's start and the noise schedule are the embedded world's
(`world.training`, `world.latent`). Unlike the world's models these predict v (Salimans and Ho 2022, appendix D, as
Stable Diffusion 2 does) and attend to the caption at the lowest resolution only: with both a training is as far
after a third of the time, and the study trains many. What differs between two points is what the sheet says and
nothing else. A step's images, captions, noise and disturbances are a function of (seed, step).

As in Somepalli 2023 the models are fine-tuned: all continue from one base, which the same loop trained on other
scenes of the same drawings, so that it knows what a caption names and none of the images that points are trained on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from verbatim.models import conditioning
from verbatim.world.contrast import text_encoder
from verbatim.world.latent_training import make_scheduler, save_latent, tokenize
from verbatim.world.training import TrainingError, TrainingRun

CHANGED = ("rc", "rt", "cwr")  # mitigations that write a caption anew at each draw


class Diverged(RuntimeError):
    """A training whose loss is not finite; the message says at which step."""


def make_unet(
    channels: Sequence[int], latent_channels: int, latent_size: int, text_width: int
) -> UNet2DConditionModel:
    """The world's UNet with cross attention at the lowest resolution only, random weights.

    Attention among the pixels of the upper levels is half of the world's training time and is not needed
    for copies to be drawn.
    """
    n = len(channels)
    return UNet2DConditionModel(
        sample_size=latent_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=list(channels),
        layers_per_block=1,
        down_block_types=["DownBlock2D"] * (n - 1) + ["CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D"] + ["UpBlock2D"] * (n - 1),
        cross_attention_dim=text_width,
        attention_head_dim=4,
        norm_num_groups=8,
    )


class Captions:
    """The captions of a point's draws, as token ids.

    texts : of each row, the captions that its draws have, one at random each time.
    mitigation, constants : see `captions`; `sweep.mitigations` of the config.
    """

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        texts: Sequence[Sequence[str]],
        mitigation: str,
        constants: dict[str, Any],
    ):
        self.tokenizer, self.mitigation, self.constants = tokenizer, mitigation, constants
        self.texts = [text for of_row in texts for text in of_row]
        self.counts = torch.tensor([len(of_row) for of_row in texts])
        self.starts = torch.cumsum(self.counts, 0) - self.counts
        self.tokens = tokenize(tokenizer, [*self.texts, ""])

    def draw(
        self, rows: torch.Tensor, empty: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Token ids (n, length) of a draw of each row of `rows` (n,); of no caption where `empty`."""
        share = torch.rand(len(rows), generator=generator, dtype=torch.float64)
        number = (share * self.counts[rows]).long()
        chosen = self.starts[rows] + number
        seed = int(torch.randint(2**62, (1,), generator=generator))
        ids = self.tokens[chosen]
        if self.mitigation in CHANGED:
            rng = random.Random(seed)
            edited = [
                conditioning.edit_caption(self.texts[i], self.mitigation, self.constants, rng)
                for i in chosen
            ]
            ids = tokenize(self.tokenizer, edited)
        return torch.where(empty[:, None], self.tokens[-1:], ids)


def draw_rows(cumulated: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """`n` rows, each with the chance that its step in `cumulated` (rows,) is, the last being 1."""
    chance = torch.rand(n, generator=generator, dtype=torch.float64)
    return torch.searchsorted(cumulated, chance, right=True).clamp(max=len(cumulated) - 1)


@dataclass(frozen=True)
class TrainingRows:
    """What a point is trained on.

    latents : (rows, c, h, w), scaled to unit variance.
    texts : of each row, the captions of its draws.
    weights : (rows,), how often a row is drawn, relative to the others.
    """

    latents: torch.Tensor
    texts: Sequence[Sequence[str]]
    weights: npt.NDArray[np.float64]


@dataclass(frozen=True)
class PointSettings:
    """How a point is trained.

    point : `sweep_points.Point.settings`. training : `sweep.training` of the config.
    constants : of `sweep.mitigations`, those of its mitigation (`sweep_points.MITIGATION_CONSTANTS`).
    """

    point: dict[str, Any]
    training: dict[str, Any]
    constants: dict[str, Any]

    @classmethod
    def of_base(cls, training: dict[str, Any]) -> PointSettings:
        """The base: trained text encoder, no mitigation; `training` with its `steps`."""
        point = {"steps": training["steps"], "text_encoder": "trained", "mitigation": "none"}
        return cls(point, {k: v for k, v in training.items() if k != "steps"}, {})


@dataclass(frozen=True)
class Origins:
    """What a training starts from.

    clip : folder of the sweep's CLIP: its tokenizer and, without a base, its text encoder.
    base : folder of the pipeline whose UNet and text encoder are fine-tuned; None: a UNet of random weights.
    """

    clip: Path
    base: Path | None = None


def train_point(
    rows: TrainingRows, how: PointSettings, origins: Origins, run: TrainingRun
) -> tuple[UNet2DConditionModel, CLIPTextModel, CLIPTokenizer]:
    """Train a point's model, from a base or from random weights.

    Mean squared error of v = sqrt(abar) eps - sqrt(1 - abar) x0: Salimans and Ho 2022, eq. 10.

    Raises
    ------
    Diverged : at the first loss that is not finite.
    """
    latents, point, settings, constants = rows.latents, how.point, how.training, how.constants
    device = run.device
    tokenizer = CLIPTokenizer.from_pretrained(origins.clip, local_files_only=True)
    torch.manual_seed(run.seed)
    if origins.base is None:
        text = text_encoder(origins.clip)
        unet = make_unet(
            settings["channels"], latents.shape[1], latents.shape[2], text.config.hidden_size
        )
    else:
        text = CLIPTextModel.from_pretrained(origins.base / "text_encoder", use_safetensors=True)
        unet = UNet2DConditionModel.from_pretrained(origins.base / "unet", use_safetensors=True)
    words = Captions(tokenizer, rows.texts, point["mitigation"], constants)
    frozen = point["text_encoder"] == "frozen"
    text.requires_grad_(not frozen)
    unet.train()
    trained = {"unet": unet} if frozen else {"unet": unet, "text": text}
    text.to(device)
    cumulated = torch.from_numpy(np.cumsum(rows.weights) / np.sum(rows.weights))
    trainer = run.trainer(
        trained,
        settings | {"steps": point["steps"]},
        [settings, point, constants, latents, words.tokens, cumulated],
    )
    abar = make_scheduler().alphas_cumprod
    n, noisy_text = settings["batch"], point["mitigation"] == "gn"

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        drawn = draw_rows(cumulated, n, generator)
        t = ((torch.rand(n, generator=generator) + torch.arange(n)) / n * len(abar)).long()
        noise = torch.randn((n, *latents.shape[1:]), generator=generator)
        empty = torch.rand(n, generator=generator) < settings["p_empty"]
        ids = words.draw(drawn, empty, generator)
        # a caption that is met twice in a batch is read once
        ids, place = torch.unique(ids, dim=0, return_inverse=True)
        with torch.set_grad_enabled(not frozen):
            states = text(ids.to(device)).last_hidden_state[place.to(device)]
        if noisy_text:
            disturbance = torch.randn(states.shape, generator=generator)
            states = states + constants["gn"] * disturbance.to(device)
        a = abar[t].view(-1, 1, 1, 1)
        clean = latents[drawn]
        noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
        velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
        out = unet(noisy.to(device), t.to(device), states).sample
        return (out - velocity.to(device)).square().mean()

    try:
        for state in trainer.run(loss_of):
            run.tell(*state)
    except TrainingError as err:  # of a loss that is not finite
        raise Diverged(str(err)) from err
    trainer.finish()
    text.to("cpu").eval()
    return unet, text, tokenizer


def save_point(
    folder: Path,
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    vae: AutoencoderKL,
) -> None:
    """Write a `StableDiffusionPipeline` folder whose scheduler says that v is predicted."""
    save_latent(folder, unet, text, tokenizer, vae)
    scheduler = DDPMScheduler.from_config(make_scheduler().config, prediction_type="v_prediction")
    scheduler.save_pretrained(folder / "scheduler")
