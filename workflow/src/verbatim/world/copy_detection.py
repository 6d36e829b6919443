"""The embedded world's copy descriptor: SSCD's recipe in small, on scenes that no model of the world is trained on.

Pizzi et al. 2022: two augmented views of an image attract each other, views of different images repel each other
(InfoNCE), and each vector keeps its distance to the nearest of another image (differential entropy, Sablayrolles
2019). Without the second term a threshold means another thing in every region of the space.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from verbatim.models.copy_network import CopyNetwork
from verbatim.world.augmentations import augment, mix
from verbatim.world.training import TrainingRun

EMA = 0.99  # ASSUME: decay of the average of the weights
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
NEAREST = 1e-3  # least distance whose logarithm is taken, as in SSCD's code


def same_image(shown: torch.Tensor) -> torch.Tensor:
    """Whether two views show one image, (n, n) bool; shown (n, 2): the images that each view shows."""
    return (shown[:, None, :, None] == shown[None, :, None, :]).any(3).any(2)


def contrastive_loss(vectors: torch.Tensor, same: torch.Tensor, temperature: float) -> torch.Tensor:
    """InfoNCE of unit vectors (n, d); same (n, n) bool: pairs of one image, each vector with itself among them.

    Each pair of one image against all views of other images (Pizzi 2022, section 3.2); the mean over such pairs.
    """
    logits = vectors @ vectors.T / temperature
    others = logits.masked_fill(same, -torch.inf).logsumexp(1, keepdim=True)
    pairs = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    return (torch.logaddexp(logits, others) - logits)[pairs].mean()


def entropy_loss(vectors: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Minus the mean log distance of unit vectors (n, d) to the nearest of another image (Pizzi 2022, equation 4)."""
    nearest = (vectors @ vectors.T).masked_fill(same, -1.0).amax(1)
    distance = (2 - 2 * nearest).clamp(min=NEAREST**2).sqrt()
    return -distance.log().mean()


def normalize(images: np.ndarray) -> np.ndarray:
    """uint8 (n, s, s, 3) as the network takes it: float32 (n, 3, s, s)."""
    values = (images.astype(np.float32) / 255.0 - MEAN) / STD
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)


def train_copy_network(
    images: np.ndarray, overlays: np.ndarray, settings: dict[str, Any], run: TrainingRun
) -> CopyNetwork:
    """Train a network on images (n, s, s, 3) uint8; overlays (m, h, h, 4) uint8 are drawings put on some views."""
    torch.manual_seed(run.seed)
    network = CopyNetwork(settings["channels"], settings["dim"], settings["whiten"]).train()
    learnt = {key: value for key, value in settings.items() if key != "whiten"}
    trainer = run.trainer(
        {"descriptor": network}, settings | {"ema": EMA}, [learnt, images, overlays]
    )

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        index = torch.randperm(len(images), generator=generator)[: settings["batch"]].numpy()
        seed = int(torch.randint(2**62, (1,), generator=generator))
        rng = np.random.default_rng(seed)
        views = np.stack([augment(images[i], overlays, rng) for i in (*index, *index)])
        batch = mix(normalize(views), np.concatenate([index, index]), rng)
        same = same_image(torch.from_numpy(batch.shown)).to(run.device)
        vectors = network.raw(torch.from_numpy(batch.images).to(run.device))
        loss = contrastive_loss(vectors, same, settings["temperature"])
        return loss + settings["entropy"] * entropy_loss(vectors, same)

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()
    whiten(network, images)
    return network


def whiten(network: CopyNetwork, images: np.ndarray, batch: int = 256) -> None:
    """Learn the whitening from the vectors of images (n, s, s, 3) uint8, as they are."""
    with torch.no_grad():
        parts = [
            network.raw(torch.from_numpy(normalize(images[i : i + batch])))
            for i in range(0, len(images), batch)
        ]
    network.set_whitening(nn.functional.normalize(torch.cat(parts), dim=1))


def describe_config(settings: dict[str, Any], size: int) -> dict[str, Any]:
    """What the network's folder says of it: its shape, and how an image is prepared."""
    shape = {key: settings[key] for key in ("channels", "dim", "whiten")}
    return {**shape, "size": size, "mean": MEAN, "std": STD}
