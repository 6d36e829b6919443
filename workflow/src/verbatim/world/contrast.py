"""The embedded world's CLIP: a small open_clip model, trained here and saved in open_clip's layout.

It stands for the public CLIP whose embeddings LAION ships: it is trained on every image of the
world once, so that it knows nothing of what was duplicated.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import CLIP, ClipLoss
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from verbatim.models.clip import clip_tokens
from verbatim.world.training import TrainingRun

EMA = 0.99  # ASSUME: decay of the average of the weights
MEAN, STD = [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]


def make_config(
    settings: dict[str, Any], size: int, vocabulary: int, context: int
) -> dict[str, Any]:
    """open_clip's `model_cfg`: a small vision transformer and a small text transformer."""
    width = settings["width"]
    return {
        "embed_dim": settings["embed_dim"],
        "vision_cfg": {
            "image_size": size, "layers": 3, "width": width, "head_width": 32, "patch_size": size // 4,
        },
        "text_cfg": {
            "context_length": context, "vocab_size": vocabulary, "width": width, "heads": 2, "layers": 2,
        },
    }  # fmt: skip


def train_clip(
    images: np.ndarray,
    captions: list[str],
    tokenizer: Any,
    settings: dict[str, Any],
    run: TrainingRun,
) -> tuple[CLIP, dict[str, Any]]:
    """Contrastive training of images (n, h, w, 3) uint8 and their captions, and of image with image.

    Radford et al. 2021 (captions); Mu et al. 2022, SLIP (two views of an image). Captions alone leave
    drawings of one kind nearly alike; a public CLIP, of 400 million pairs, tells them apart. A view is
    shifted by up to two pixels, a little brighter or darker, and a little noisy, as re-encoded, cropped and
    brightened copies are.
    """
    torch.manual_seed(run.seed)
    context = tokenizer.model_max_length
    config = make_config(settings, images.shape[1], len(tokenizer), context)
    model = CLIP(**config).train()
    ids = clip_tokens(tokenizer, captions, context)
    loss = ClipLoss()
    trainer = run.trainer({"clip": model}, settings | {"ema": EMA}, [settings, images, ids])

    def view(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        n, _, size, _ = x.shape
        moves = torch.randint(0, 5, (n, 2), generator=generator)
        padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")
        moved = torch.stack(
            [
                padded[i, :, dy : dy + size, dx : dx + size]
                for i, (dy, dx) in enumerate(moves.tolist())
            ]
        )
        light = 1 + 0.1 * (2 * torch.rand((n, 1, 1, 1), generator=generator) - 1)
        moved = (moved + 1) * light - 1
        return (moved + 0.05 * torch.randn(x.shape, generator=generator)).to(run.device)

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        index = torch.randint(len(images), (settings["batch"],), generator=generator).unique()
        x = torch.from_numpy(images[index.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
        image, text, scale = model(view(x, generator), ids[index].to(run.device))
        other = model.encode_image(view(x, generator), normalize=True)
        return loss(image, text, scale) + loss(image, other, scale)

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()
    return model, config


def save_clip(folder: Path, model: CLIP, config: dict[str, Any], tokenizer_folder: Path) -> None:
    """Write open_clip's layout: config, safetensors weights and the tokenizer beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    for file in tokenizer_folder.iterdir():
        if file.resolve() != (folder / file.name).resolve():
            shutil.copy(file, folder / file.name)
    text = {"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(text, indent=1))


def text_encoder(folder: Path) -> CLIPTextModel:
    """The text tower of a saved CLIP as transformers' `CLIPTextModel`, what Stable Diffusion starts from.

    The last hidden states of the two agree to rounding.
    """
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]
    state = load_file(folder / "open_clip_model.safetensors")
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    width = config["width"]
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config["vocab_size"],
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=config["layers"],
            num_attention_heads=config["heads"],
            max_position_embeddings=config["context_length"],
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    own = {
        "embeddings.token_embedding.weight": state["token_embedding.weight"],
        "embeddings.position_embedding.weight": state["positional_embedding"],
        "final_layer_norm.weight": state["ln_final.weight"],
        "final_layer_norm.bias": state["ln_final.bias"],
    }
    pairs = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
             "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}  # fmt: skip
    for i in range(config["layers"]):
        ours, theirs = f"encoder.layers.{i}", f"transformer.resblocks.{i}"
        for kind in ("weight", "bias"):
            for a, b in pairs.items():
                own[f"{ours}.{a}.{kind}"] = state[f"{theirs}.{b}.{kind}"]
            joint = state[f"{theirs}.attn.in_proj_{kind}"].chunk(3)
            for a, value in zip("qkv", joint, strict=True):
                own[f"{ours}.self_attn.{a}_proj.{kind}"] = value
    model.load_state_dict(own)
    return model
