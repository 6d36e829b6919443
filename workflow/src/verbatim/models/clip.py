"""CLIP embeddings of images and captions through open_clip, from a local folder only."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from verbatim.io.seals import check_folder
from verbatim.models.files import CLIP_CONFIG as CONFIG
from verbatim.models.files import CLIP_WEIGHTS as WEIGHTS
from verbatim.models.files import TOKENIZER, link_part
from verbatim.models.hub import cure_of


class ClipError(ValueError):
    """A CLIP model cannot be loaded; the message names the folder, the file and the cure."""


# what makes open_clip build towers and tokenizers of other libraries', which are not read here
FOREIGN = {
    "": ("custom_text", "multimodal_cfg"),
    "text_cfg.": ("hf_model_name", "hf_tokenizer_name", "tokenizer_kwargs"),
    "vision_cfg.": ("timm_model_name",),
}
INCLUDES = ("*.json", "*.txt", WEIGHTS)  # what is fetched of a hub id
# one of these forms of a vocabulary must be there: without files transformers makes a tokenizer that knows no
# word, and says nothing
VOCABULARY = (("tokenizer.json",), ("vocab.json", "merges.txt"))
CURE = "inputs.clip must be a CLIP with open_clip's own towers and CLIP's tokenizer (ViT-B-32, ViT-L-14)"


def read_config(path: Path) -> dict[str, Any]:
    """open_clip_config.json, with all keys that are read of it.

    Raises ClipError naming the file, the key and the cure.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as err:
        raise ClipError(f"{path}: not JSON ({err}); {cure_of(path.parent)}") from err
    whole, numbers = "a whole number", "three numbers"
    wanted = {
        "model_cfg.embed_dim": whole,
        "model_cfg.vision_cfg.image_size": whole,
        "model_cfg.text_cfg.context_length": whole,
        "preprocess_cfg.mean": numbers,
        "preprocess_cfg.std": numbers,
    }
    for key, kind in wanted.items():
        value = config
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise ClipError(f"{path}: {key!r} is missing; {CURE}")
            value = value[part]
        listed = isinstance(value, list) and len(value) == 3
        sound = isinstance(value, int) if kind == whole else listed and all(map(_is_number, value))
        if not sound:
            raise ClipError(f"{path}: {key!r} is {value!r}, not {kind}; {CURE}")
    model = config["model_cfg"]
    for block, names in FOREIGN.items():
        inner = model[block[:-1]] if block else model
        for name in names:
            if inner.get(name):
                raise ClipError(
                    f"{path}: 'model_cfg.{block}{name}' is {inner[name]!r}, which is not supported; {CURE}"
                )
    return dict(config)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def clip_files(folder: Path) -> list[str]:
    """The files of a CLIP folder that are loaded, and no other, sorted.

    Raises ClipError naming one that is missing.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ClipError(
                f"{folder}: no {name}; a CLIP folder has open_clip's layout with safetensors weights: "
                f"{cure_of(folder, INCLUDES)}"
            )
    words = [name for name in TOKENIZER if (folder / name).is_file()]
    if not any(set(form) <= set(words) for form in VOCABULARY):
        raise ClipError(
            f"{folder}: no tokenizer, neither tokenizer.json nor vocab.json with merges.txt; "
            f"{cure_of(folder, INCLUDES)}"
        )
    return sorted([CONFIG, WEIGHTS, *words])


def check_clip(folder: Path) -> None:
    """Refuse a CLIP folder that `ClipEmbedder` would refuse, from the headers of its weights alone.

    Raises ClipError naming the file, the key or the weight, and the cure.
    """
    _read_clip(folder)


def _read_clip(folder: Path) -> tuple[dict[str, Any], Any]:
    """The config and the tokenizer of a folder whose weights are those of its config."""
    from safetensors import SafetensorError, safe_open

    files = clip_files(folder)
    path = folder / CONFIG
    config = read_config(path)
    try:
        with safe_open(str(folder / WEIGHTS), "pt") as weights:
            found = {key: tuple(weights.get_slice(key).get_shape()) for key in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as err:
        raise ClipError(f"{folder / WEIGHTS}: broken ({err}); {cure_of(folder, INCLUDES)}") from err
    for tower in ("text_cfg", "vision_cfg"):
        layers = config["model_cfg"][tower].get("layers")
        if isinstance(layers, int) and layers > len(found):
            raise ClipError(
                f"{path}: 'model_cfg.{tower}.layers' is {layers}, more than there are weights; {CURE}"
            )
    with torch.device("meta"):
        wanted = {
            key: tuple(one.shape) for key, one in _build_clip(path, config).state_dict().items()
        }
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) != found.get(key):
            raise ClipError(
                f"{folder / WEIGHTS}: not the weights of `model_cfg` in {CONFIG}: {key} is "
                f"{found.get(key, 'missing')}, expected {wanted.get(key, 'none of that name')}; "
                f"fetch both again: {cure_of(folder, INCLUDES)}"
            )
    return config, _read_tokenizer(folder, files)


def _build_clip(path: Path, config: dict[str, Any]) -> Any:
    from open_clip import CLIP

    try:
        return CLIP(**config["model_cfg"])
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as err:  # fmt: skip
        raise ClipError(f"{path}: open_clip cannot build `model_cfg` ({err}); {CURE}") from err


def _read_tokenizer(folder: Path, files: list[str]) -> Any:
    from transformers import CLIPTokenizer

    words = {name: name for name in files if name in TOKENIZER}
    with tempfile.TemporaryDirectory(prefix="verbatim-") as place:
        try:
            return CLIPTokenizer.from_pretrained(
                link_part(folder, "", words, Path(place) / "tokenizer"), local_files_only=True
            )
        except MemoryError:
            raise
        except Exception as err:  # the Rust library raises a plain Exception
            raise ClipError(
                f"{folder}: its tokenizer cannot be read ({err}); {cure_of(folder, INCLUDES)}"
            ) from err


class ClipEmbedder:
    """Embeds images and captions with the model of a folder in open_clip's own layout.

    Parameters
    ----------
    folder : holds `open_clip_config.json`, `open_clip_model.safetensors` and the tokenizer's files
    device : "cpu" or "cuda"

    Raises
    ------
    ClipError : as `check_clip`.
    """

    def __init__(self, folder: str | Path, device: str = "cpu"):
        from safetensors.torch import load_file

        folder = Path(folder)
        check_folder(folder)
        config, self.tokenizer = _read_clip(folder)
        self.model = _build_clip(folder / CONFIG, config)
        self.model.load_state_dict(load_file(folder / WEIGHTS))
        self.model.eval().to(device)
        self.device = device
        self.size = config["model_cfg"]["vision_cfg"]["image_size"]
        pre = config["preprocess_cfg"]
        self.mean = torch.tensor(pre["mean"], device=device).view(1, 3, 1, 1)
        self.std = torch.tensor(pre["std"], device=device).view(1, 3, 1, 1)
        self.context = config["model_cfg"]["text_cfg"]["context_length"]

    @torch.no_grad()
    def embed_images(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """Images (n, h, w, 3) float in [0, 1] to float32 (n, dim) of unit length.

        Another size than the model's is resampled (bicubic, antialiased).
        """
        out = []
        for i in range(0, len(images), batch):
            x = torch.from_numpy(np.ascontiguousarray(images[i : i + batch])).to(self.device)
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
