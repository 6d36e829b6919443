"""Captions a second of the white-box score, against one prompt at a time with both guidance rows.

The loop is what public code does: diffusers' StableDiffusionPipeline encodes one prompt and the empty
one, the UNet takes both in a batch of two at the last timestep, and the guided prediction is squared.
Ours is `whitebox.dcs.score_captions`: captions in batches, the empty caption's row once a seed. Both
run the same pipeline in the same process; their scores are compared.

    python tests/benchmarks/whitebox.py                     # both sizes, about four minutes on two cores
    python tests/benchmarks/whitebox.py --size small --captions 2000
    python tests/benchmarks/whitebox.py --size real --captions 4

small: the world's model (1.1 million parameters, 8x8x16 latents). real: Stable Diffusion 1's UNet (860
million, 64x64x4, states 77x768) and text encoder, random weights. No autoencoder is called by either.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "src"))

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from verbatim.models.latent import LatentDenoiser
from verbatim.whitebox.dcs import score_captions
from verbatim.world.latent_training import make_unet
from verbatim.world.tokenizers import build_clip_tokenizer

SIZES: dict[str, dict[str, Any]] = {
    "small": {"captions": 500, "batch": 256, "tokens": 16, "text": (64, 2, 2), "latent": (16, 8)},
    "real": {"captions": 4, "batch": 4, "tokens": 77, "text": (768, 12, 12), "latent": (4, 64)},
}
GUIDANCE = 7.5
BETAS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def randomize(model: Any) -> Any:
    """Weights drawn in place, so that 860 million of them are in memory once."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
            else:
                parameter.fill_(float(name.endswith("weight")))
    return model.eval().requires_grad_(False)


def make_pipeline(size: str, words: list[str]) -> StableDiffusionPipeline:
    """A pipeline of diffusers' own classes with random weights."""
    s = SIZES[size]
    width, layers, heads = s["text"]
    channels, side = s["latent"]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = build_clip_tokenizer(words, folder, max_length=s["tokens"])
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width,
        num_hidden_layers=layers, num_attention_heads=heads, max_position_embeddings=s["tokens"],
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    if size == "small":
        unet = make_unet({"channels": [32, 64]}, channels, side, width)
    else:
        with torch.device("meta"):  # no default weights are drawn
            unet = UNet2DConditionModel(
                sample_size=side, in_channels=channels, out_channels=channels,
                cross_attention_dim=width, attention_head_dim=8,
            )  # fmt: skip
        unet = unet.to_empty(device="cpu")
    vae = AutoencoderKL(latent_channels=channels, norm_num_groups=8, block_out_channels=(8,))
    return StableDiffusionPipeline(
        vae=vae, text_encoder=randomize(CLIPTextModel(text)), tokenizer=tokenizer,
        unet=randomize(unet), scheduler=EulerDiscreteScheduler(**BETAS), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


@torch.no_grad()
def score_one_at_a_time(pipeline: StableDiffusionPipeline, captions: list[str]) -> list[float]:
    """The plain loop: two UNet rows a caption."""
    abar, t = float(pipeline.scheduler.alphas_cumprod[-1]), torch.tensor(999.0)
    sigma = ((1 - abar) / abar) ** 0.5
    config, scores = pipeline.unet.config, []
    shape = (1, config.in_channels, config.sample_size, config.sample_size)
    for caption in captions:
        prompt, empty = pipeline.encode_prompt(caption, "cpu", 1, do_classifier_free_guidance=True)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        x = noise * sigma / (sigma**2 + 1) ** 0.5
        out = pipeline.unet(
            torch.cat([x] * 2), t, encoder_hidden_states=torch.cat([empty, prompt])
        ).sample
        eps_u, eps_c = out.chunk(2)
        eps = eps_u + GUIDANCE * (eps_c - eps_u)
        scores.append(sigma**2 * float(eps.square().mean()))
    return scores


def make_denoiser(pipeline: StableDiffusionPipeline) -> LatentDenoiser:
    parts = {name: getattr(pipeline, name) for name in ("unet", "vae", "text_encoder", "tokenizer")}
    betas = pipeline.scheduler.betas
    return LatentDenoiser(
        parts,
        {"betas": betas, "prediction_type": "epsilon", "device": "cpu", "dtype": torch.float32},
    )


def clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - start[0], time.process_time() - start[1]


def measure(size: str, n: int, batch: int) -> None:
    captions = [f"image {i} of a red heart" for i in range(n)]
    pipeline = make_pipeline(size, captions)
    denoiser = make_denoiser(pipeline)
    parameters = sum(p.numel() for p in pipeline.unet.parameters()) / 1e6
    start = clock()
    denoiser.predict(torch.zeros(1, *denoiser.shape), 1.0, denoiser.encode([""]))  # warm-up
    row = since(start)
    start = clock()
    theirs = score_one_at_a_time(pipeline, captions)
    loop = since(start)
    denoiser.rows = 0
    start = clock()
    found = list(score_captions(denoiser, captions, [0], GUIDANCE, batch))
    ours = since(start)
    rows = denoiser.rows
    start = clock()
    next(iter(score_captions(denoiser, captions[:1], [0], GUIDANCE, 1)))
    one = since(start)
    scores = np.concatenate([part.scores["dcs_reference"] for part in found])
    apart = float(np.abs(scores / theirs - 1).max())
    # one caption alone is the seed's shared row and one more: half of it is what a seed costs
    many = [ours[i] - one[i] / 2 for i in range(2)]
    print(
        f"{size}: UNet of {parameters:.1f} million parameters, latents {denoiser.shape}, {n} captions"
    )
    print(f"{'':34}{'wall s':>9}{'CPU s':>9}{'captions/s':>12}{'UNet rows':>11}")
    for name, spent, count in (
        ("first row (warm-up)", row, 1),
        ("one prompt at a time, both halves", loop, 2 * n),
        (f"ours, batch {batch}, seed's row included", ours, rows),
        ("ours, beyond the seed's row", many, rows - 1),
    ):
        print(f"{name:34}{spent[0]:9.2f}{spent[1]:9.2f}{n / spent[0]:12.3g}{count:11d}")
    print(
        f"ratio {loop[0] / ours[0]:.2f} (CPU {loop[1] / ours[1]:.2f}), beyond the seed's row "
        f"{loop[0] / many[0]:.2f} (CPU {loop[1] / many[1]:.2f}); scores differ by at most {apart:.1e}; "
        f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=["small", "real", "both"], default="both")
    parser.add_argument("--captions", type=int, help="how many; 500 small, 4 real")
    parser.add_argument("--batch", type=int, help="captions a batch of ours; 256 small, 4 real")
    args = parser.parse_args()
    for size in SIZES if args.size == "both" else [args.size]:
        s = SIZES[size]
        measure(size, args.captions or s["captions"], args.batch or s["batch"])


if __name__ == "__main__":
    main()
