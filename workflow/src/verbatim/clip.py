"""CLIP embeddings of pictures and captions through open_clip, from a local folder only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch


class ClipError(ValueError):
    """A CLIP model cannot be loaded; the message names the folder, the file and the cure."""


class ClipEmbedder:
    """Embeds pictures and captions with the model of a folder in open_clip's own layout.

    Parameters
    ----------
    folder : holds `open_clip_config.json`, `open_clip_model.safetensors` and the tokenizer's files
    device : "cpu" or "cuda"
    """

    def __init__(self, folder: str | Path, device: str = "cpu"):
        folder = Path(folder)
        for name in ("open_clip_config.json", "open_clip_model.safetensors"):
            if not (folder / name).is_file():
                raise ClipError(
                    f"{folder}: no {name}; a CLIP folder has open_clip's layout with safetensors weights"
                )
        from open_clip import CLIP
        from safetensors.torch import load_file
        from transformers import CLIPTokenizer

        config: dict[str, Any] = json.loads((folder / "open_clip_config.json").read_text())
        self.model = CLIP(**config["model_cfg"])
        self.model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
        self.model.eval().to(device)
        self.device = device
        self.size = int(config["model_cfg"]["vision_cfg"]["image_size"])
        pre = config["preprocess_cfg"]
        self.mean = torch.tensor(pre["mean"], device=device).view(1, 3, 1, 1)
        self.std = torch.tensor(pre["std"], device=device).view(1, 3, 1, 1)
        self.context = int(config["model_cfg"]["text_cfg"]["context_length"])
        self.tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)

    @torch.no_grad()
    def embed_images(self, pictures: np.ndarray, batch: int = 256) -> np.ndarray:
        """Pictures (n, h, w, 3) float in [0, 1] to float32 (n, dim) of unit length.

        Another size than the model's is resampled (bicubic, antialiased).
        """
        out = []
        for i in range(0, len(pictures), batch):
            x = torch.from_numpy(np.ascontiguousarray(pictures[i : i + batch])).to(self.device)
            x = x.permute(0, 3, 1, 2).float()
            if x.shape[-2:] != (self.size, self.size):
                x = torch.nn.functional.interpolate(
                    x, (self.size, self.size), mode="bicubic", antialias=True
                )
            features = self.model.encode_image((x - self.mean) / self.std)
            out.append(torch.nn.functional.normalize(features.float(), dim=1).cpu().numpy())
        return np.concatenate(out) if out else np.zeros((0, self.dim), np.float32)

    @torch.no_grad()
    def embed_texts(self, captions: list[str], batch: int = 256) -> np.ndarray:
        """Captions to float32 (n, dim) of unit length."""
        out = []
        for i in range(0, len(captions), batch):
            ids = clip_tokens(self.tokenizer, captions[i : i + batch], self.context)
            features = self.model.encode_text(ids.to(self.device))
            out.append(torch.nn.functional.normalize(features.float(), dim=1).cpu().numpy())
        return np.concatenate(out) if out else np.zeros((0, self.dim), np.float32)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return int(self.model.text_projection.shape[1])


def clip_tokens(tokenizer: Any, captions: list[str], length: int) -> torch.Tensor:
    """Ids (n, length) for open_clip's text tower: start, words, end, zeros.

    open_clip reads the caption's feature at the largest id, which is the end token's.
    """
    out = torch.zeros(len(captions), length, dtype=torch.long)
    for i, caption in enumerate(captions):
        ids = tokenizer(caption, truncation=True, max_length=length).input_ids
        out[i, : len(ids)] = torch.tensor(ids)
    return out
