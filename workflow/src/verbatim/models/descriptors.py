"""Copy detectors behind one interface: images in, a unit vector each out, and the vector's chunks.

Somepalli 2022 compares descriptors (SSCD, DINO, CLIP); the embedded world has its own open_clip model.
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from verbatim.models.descriptor_preprocessing import PRESETS, Preset, prepare
from verbatim.models.descriptor_specs import OWN, DescriptorError, Spec, check_spec, read_checked


class Features(NamedTuple):
    """Descriptors of n images.

    whole : float32 (n, d), unit length.
    chunks : float32 (n, c, e): the parts of one long vector of unit length, one a token of a vision transformer,
        or equal cuts of `whole` (Somepalli 2022, split product).
    """

    whole: np.ndarray
    chunks: np.ndarray


class Descriptor(ABC):
    """A network that turns prepared images into vectors; a kind of it says how in `forward`.

    Parameters
    ----------
    spec
        What it is; checked.
    device
        "cpu" or "cuda".
    """

    def __init__(self, spec: Spec, device: str = "cpu"):
        self.spec, self.device = spec, device
        self.network = self.load()

    @abstractmethod
    def load(self) -> Any:
        """The network, in evaluation mode, on the device."""

    @property
    def own_preset(self) -> Preset:
        """What the model's folder says of preprocessing; a file by itself says nothing."""
        raise DescriptorError(
            f"{self.spec.name}: preset {OWN!r}, but kind {self.spec.kind} has no preprocessing of its own; "
            f"name one of {', '.join(PRESETS)}"
        )

    @abstractmethod
    def forward(self, x: Any) -> tuple[Any, Any]:
        """(n, 3, h, w) to vectors (n, d) and tokens (n, t, e), or None where it has none."""

    @cached_property
    def preset(self) -> Preset:
        return self.own_preset if self.spec.preset == OWN else PRESETS[self.spec.preset]

    def describe(self, images: Sequence[np.ndarray], batch: int = 128) -> Features:
        """Vectors and chunks of images (h, w, 3), uint8 or float in [0, 1], of any sizes, in their order."""
        import torch

        whole: dict[int, np.ndarray] = {}
        chunks: dict[int, np.ndarray] = {}
        with torch.no_grad():
            for places, stack in _batches(images, self.preset, batch):
                vectors, tokens = self.forward(torch.from_numpy(stack).to(self.device))
                unit = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
                whole |= zip(places, unit, strict=True)
                parts = cut(unit, self.spec.chunks) if tokens is None else _unit_as_one(tokens)
                chunks |= zip(places, parts, strict=True)
        if not whole:
            return Features(np.zeros((0, 0), np.float32), np.zeros((0, 0, 0), np.float32))
        order = range(len(whole))
        return Features(np.stack([whole[i] for i in order]), np.stack([chunks[i] for i in order]))


def _batches(
    images: Sequence[np.ndarray], preset: Preset, batch: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """(places, prepared images of one shape): images that come out in another shape wait for their like."""
    waiting: dict[tuple[int, ...], tuple[list[int], list[np.ndarray]]] = {}
    for place, image in enumerate(images):
        ready = prepare(image, preset)
        places, stack = waiting.setdefault(ready.shape, ([], []))
        places.append(place)
        stack.append(ready)
        if len(stack) == batch:
            yield places, np.stack(stack)
            del waiting[ready.shape]
    for places, stack in waiting.values():
        yield places, np.stack(stack)


def cut(vectors: np.ndarray, chunks: int) -> np.ndarray:
    """Vectors (n, d) in `chunks` pieces of equal length (n, chunks, d / chunks); zeros fill the last."""
    n, d = vectors.shape
    width = -(-d // chunks)
    padded = np.zeros((n, chunks * width), np.float32)
    padded[:, :d] = vectors
    return padded.reshape(n, chunks, width)


def _unit_as_one(tokens: Any) -> np.ndarray:
    """Tokens (n, t, e), scaled so that all of an image's are one vector of unit length."""
    import torch

    flat = torch.nn.functional.normalize(tokens.float().flatten(1), dim=1)
    return flat.reshape(tokens.shape).cpu().numpy()


class OpenClipDescriptor(Descriptor):
    """The image tower of an open_clip folder; its chunks are the patches' tokens before the projection."""

    def load(self) -> Any:
        from verbatim.models.clip import ClipEmbedder, ClipError

        try:
            self.clip = ClipEmbedder(self.spec.source, self.device)
        except ClipError as err:
            key = self.spec.key
            raise DescriptorError(f"config: {key}: {err}") from err
        visual = self.clip.model.visual
        if hasattr(visual, "output_tokens"):
            visual.output_tokens = True
        return visual

    @property
    def own_preset(self) -> Preset:
        size, clip = self.clip.size, self.clip
        mean, std = (tuple(values.flatten().tolist()) for values in (clip.mean, clip.std))
        return Preset(edge=size, crop=size, how="bicubic", mean=mean, std=std)

    def forward(self, x: Any) -> tuple[Any, Any]:
        out = self.network(x)
        return out if isinstance(out, tuple) else (out, None)


class TimmDescriptor(Descriptor):
    """A network of timm's (DINO's are there) from a folder as timm publishes it: config.json, safetensors."""

    def load(self) -> Any:
        import timm
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        key = self.spec.key
        folder = Path(self.spec.source)
        try:
            self.config = json.loads((folder / "config.json").read_text("utf-8"))
            name = self.config["architecture"]
        except (ValueError, KeyError, TypeError, OSError) as err:
            raise DescriptorError(
                f"config: {key}: {folder / 'config.json'} names no architecture ({err!r}); fetch it again"
            ) from err
        if not timm.is_model(name):
            raise DescriptorError(f"config: {key}: timm {timm.__version__} has no network {name!r}")
        network = timm.create_model(name, pretrained=False, num_classes=0)
        try:
            state = load_file(folder / "model.safetensors")
            # a classifier may lie in the file; it describes nothing
            state = {k: v for k, v in state.items() if not k.startswith(("head.", "fc."))}
            network.load_state_dict(state)
        except (RuntimeError, SafetensorError, OSError) as err:
            raise DescriptorError(
                f"config: {key}: {folder / 'model.safetensors'} is not the weights of {name!r} ({err}); "
                "fetch both again"
            ) from err
        return network.eval().to(self.device)

    @property
    def own_preset(self) -> Preset:
        told = self.config.get("pretrained_cfg", {})
        side = int(told.get("input_size", self.network.default_cfg["input_size"])[-1])
        return Preset(
            edge=int(side / float(told.get("crop_pct", 0.875))),
            crop=side,
            how=told.get("interpolation", "bicubic"),
            mean=tuple(told.get("mean", PRESETS["dino_224"].mean)),
            std=tuple(told.get("std", PRESETS["dino_224"].std)),
        )

    def forward(self, x: Any) -> tuple[Any, Any]:
        features = self.network.forward_features(x)
        vectors = self.network.forward_head(features, pre_logits=True)
        if features.ndim != 3:
            return vectors, None
        return vectors, features[:, getattr(self.network, "num_prefix_tokens", 1) :]


class TorchScriptDescriptor(Descriptor):
    """A TorchScript file (SSCD): normalised images in, vectors out."""

    def load(self) -> Any:
        import torch

        key = self.spec.key
        # the very bytes that were checked are the ones that are run
        data = read_checked(self.spec.source, self.spec.sha256, key)
        try:
            return torch.jit.load(io.BytesIO(data), map_location=self.device).eval()
        except RuntimeError as err:
            raise DescriptorError(
                f"config: {key}: {self.spec.source} is no TorchScript file ({err})"
            ) from err

    def forward(self, x: Any) -> tuple[Any, Any]:
        return self.network(x), None


class CopyNetworkDescriptor(Descriptor):
    """The small SSCD that the embedded world trains, from its folder."""

    def load(self) -> Any:
        from safetensors import SafetensorError

        from verbatim.models.copy_network import load_network

        try:
            network, self.config = load_network(Path(self.spec.source))
        except (RuntimeError, SafetensorError, OSError, ValueError, KeyError, TypeError) as err:
            raise DescriptorError(
                f"config: {self.spec.key}: {self.spec.source} is no folder that train_descriptor wrote ({err!r}); "
                "fetch it again, or name another"
            ) from err
        return network.to(self.device)

    @property
    def own_preset(self) -> Preset:
        mean, std = tuple(self.config["mean"]), tuple(self.config["std"])
        return Preset(square=int(self.config["size"]), mean=mean, std=std)

    def forward(self, x: Any) -> tuple[Any, Any]:
        return self.network(x), None


class PixelDescriptor(Descriptor):
    """The pixels themselves, less the image's mean colour: a dot product is a correlation of two images.

    For images of one size. It finds copies at the same place and ignores the content. The world's small CLIP, for
    which all drawings of a kind are similar, is compared with it. Chunks are the squares of a grid of four by four.
    """

    def load(self) -> Any:
        return None

    @property
    def own_preset(self) -> Preset:
        return Preset(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def forward(self, x: Any) -> tuple[Any, Any]:
        x = x - x.mean(dim=(2, 3), keepdim=True)
        n, colours, height, width = x.shape
        if height % 4 or width % 4:
            return x.flatten(1), None
        squares = x.reshape(n, colours, 4, height // 4, 4, width // 4).permute(0, 2, 4, 1, 3, 5)
        return x.flatten(1), squares.reshape(n, 16, -1)


def load_descriptor(spec: Spec, device: str = "cpu") -> Descriptor:
    """The descriptor that an entry of the config names; raises DescriptorError."""
    check_spec(spec, digest=False)
    kinds: dict[str, type[Descriptor]] = {
        "open_clip": OpenClipDescriptor,
        "timm": TimmDescriptor,
        "torchscript": TorchScriptDescriptor,
        "pixels": PixelDescriptor,
        "copy_network": CopyNetworkDescriptor,
    }
    return kinds[spec.kind](spec, device)
