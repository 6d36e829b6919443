"""How good the images are, by torchmetrics: Fréchet distance to the training images, CLIP score.

torchmetrics and not torch-fidelity: it takes features of any network (the world's open_clip model has the size of
its images, Inception has not), has the CLIP score too, and brings no weights; torch-fidelity unpickles
Inception's without restriction, and has no CLIP score. Inception is here NVIDIA's TorchScript file of the original
network (what StyleGAN and clean-fid use), loaded under its digest; it resamples as the original does. Only a
Fréchet distance of its features is an FID: any other is named after its features.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from verbatim.io.images import to_uint8
from verbatim.models.clip import ClipEmbedder, clip_tokens
from verbatim.models.descriptor_specs import DescriptorError, read_checked


class GivenFeatures(torch.nn.Module):
    """The feature network that torchmetrics is given: the features themselves come in and go out.

    So training images are described once, and not for every run.
    """

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def frechet_distance(training: np.ndarray, generated: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets of features (n, d), (m, d), float64 throughout.

    Heusel 2017, eq. 6, by torchmetrics' FrechetInceptionDistance. NaN where a set has fewer than two.
    """
    if min(len(training), len(generated)) < 2:
        return float("nan")
    from torchmetrics.image.fid import FrechetInceptionDistance

    network = GivenFeatures(int(training.shape[1]))
    metric = FrechetInceptionDistance(network, normalize=True).set_dtype(torch.float64)
    metric.update(torch.from_numpy(training.astype(np.float64)), real=True)
    metric.update(torch.from_numpy(generated.astype(np.float64)), real=False)
    return float(metric.compute())


class Inception:
    """NVIDIA's TorchScript Inception: 2048 features of the pool layer, its own resampling to 299 pixels.

    path, sha256 : the file, and the digest that the config states for it.
    """

    def __init__(self, path: str | Path, sha256: str, device: str = "cpu"):
        data = read_checked(path, sha256, "similarity.inception")
        try:
            self.network = torch.jit.load(io.BytesIO(data), map_location=device).eval()
        except RuntimeError as err:
            raise DescriptorError(
                f"config: similarity.inception: {path} is no TorchScript file ({err})"
            ) from err
        self.device = device

    @torch.no_grad()
    def features(self, images: Sequence[np.ndarray], batch: int = 64) -> np.ndarray:
        """Images (h, w, 3), uint8 or in [0, 1], of one size, to float32 (n, 2048)."""
        out = []
        for start in range(0, len(images), batch):
            some = [
                p if p.dtype == np.uint8 else to_uint8(p) for p in images[start : start + batch]
            ]
            x = torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).to(self.device)
            out.append(self.network(x, return_features=True).flatten(1).float().cpu().numpy())
        return np.concatenate(out) if out else np.zeros((0, 2048), np.float32)


class _OpenClip(torch.nn.Module):
    """An open_clip model in the form that torchmetrics' CLIP score asks for, model and processor in one."""

    config = None

    def __init__(self, clip: ClipEmbedder):
        super().__init__()
        self.clip = clip
        self.cosines: list[float] = []

    def process(self, images: Any = None, text: Any = None, **_: Any) -> dict[str, torch.Tensor]:
        if text is not None:
            ids = clip_tokens(self.clip.tokenizer, text, self.clip.context)
            return {"input_ids": ids, "attention_mask": (ids != 0).long()}
        return {"pixel_values": torch.stack(list(images))}

    def get_image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        stack = pixels.permute(0, 2, 3, 1).cpu().numpy()
        self._images = torch.from_numpy(self.clip.embed_images(stack))
        return self._images

    @torch.no_grad()
    def get_text_features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        features = self.clip.model.encode_text(ids.to(self.clip.device)).float().cpu()
        unit = torch.nn.functional.normalize(features, dim=1)
        self.cosines += (self._images * unit).sum(1).tolist()
        return unit


def clip_score(
    clip: ClipEmbedder, images: np.ndarray, captions: Sequence[str]
) -> tuple[float, np.ndarray]:
    """CLIP score of images (n, h, w, 3) in [0, 1] and their captions: 100 cos, and 0 at least, by torchmetrics.

    Hessel 2021, without its factor 2.5. Returns the score, and 100 cos of each (n,); NaN for no images.
    """
    if not len(images):
        return float("nan"), np.zeros(0)
    from torchmetrics.functional.multimodal import clip_score as score

    adapter = _OpenClip(clip)
    x = torch.from_numpy(np.ascontiguousarray(images, np.float32)).permute(0, 3, 1, 2)
    value = score(x, list(captions), lambda: (adapter, adapter.process))
    return float(value), 100 * np.asarray(adapter.cosines)
