"""Network rows a second on a GPU: plain diffusers with one guided prompt at a time, and ours at the best batch.

    python tests/benchmarks/gpu.py --peak-tflops 990          # Stable Diffusion 1's real size, random weights
    python tests/benchmarks/gpu.py --size small               # a small network; also on a CPU

Both run the same pipeline in the same process, in half precision on a card. A row is one evaluation of the network for one
caption. The batch is doubled while a row becomes cheaper by a twentieth or more, or until the memory ends.
--peak-tflops is the card's dense peak at this precision, of which the share that the network reaches is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode
from whitebox import GUIDANCE, make_pipeline

from verbatim.models.latent import LatentDenoiser
from verbatim.whitebox.dcs import score_captions

WORTH = 0.95  # of a row's seconds, below which a larger batch is worth it


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Of one call, warmed up, the device's queue counted."""
    waited = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    call()
    waited()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    waited()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=("small", "real"), default="real")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--most", type=int, default=512, help="largest batch tried")
    parser.add_argument("--peak-tflops", type=float, default=0.0)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    captions = [f"a photo of number {i}" for i in range(4 * args.most)]
    pipeline = make_pipeline(args.size, captions).to(device, dtype)
    settings = {
        "betas": pipeline.scheduler.betas, "prediction_type": "epsilon", "device": device, "dtype": dtype,
    }  # fmt: skip
    parts = {name: getattr(pipeline, name) for name in ("unet", "vae", "text_encoder", "tokenizer")}
    where = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    print(
        f"{args.size} size on {where}, {str(dtype).removeprefix('torch.')}, torch {torch.__version__}"
    )
    config = pipeline.unet.config
    shape = (config.in_channels, config.sample_size, config.sample_size)
    with torch.no_grad():
        prompt, empty = pipeline.encode_prompt(
            captions[0], device, 1, do_classifier_free_guidance=True
        )
        two, both = torch.randn(2, *shape, device=device, dtype=dtype), torch.cat([empty, prompt])
        plain = 2 / seconds(
            lambda: pipeline.unet(two, 999, encoder_hidden_states=both), args.repeats
        )
        with FlopCounterMode(display=False) as counter:
            pipeline.unet(two, 999, encoder_hidden_states=both)
        tera = counter.get_total_flops() / 2 / 1e12
        print(f"diffusers, one guided prompt: {plain:.1f} rows a second")
        ours = LatentDenoiser(parts, settings)
        ours.place([ours.unet, ours.vae, ours.text_encoder])
        best, chosen, batch = 0.0, 1, 1
        while batch <= args.most:
            cond, x = ours.encode(captions[:batch]), torch.randn(batch, *shape)
            try:
                rate = batch / seconds(
                    lambda c=cond, x=x: ours.predict(x, ours.sigma_max, c), args.repeats
                )
            except torch.OutOfMemoryError:
                break
            print(f"ours, batch {batch}: {rate:.1f} rows a second")
            if best and rate * WORTH < best:
                break
            best, chosen, batch = max(rate, best), batch if rate > best else chosen, 2 * batch
        print(
            f"best batch {chosen}: {best / plain:.2f} times diffusers, {best * tera:.2f} Tflop a second"
        )
        if args.peak_tflops:
            print(f"{best * tera / args.peak_tflops:.1%} of the stated peak")
        some = captions[: 2 * chosen]
        took = seconds(lambda: list(score_captions(ours, some, [0], GUIDANCE, chosen)), 1)
        print(f"DCS: {len(some) / took:.1f} captions a second, encoding counted")
        latents = torch.randn(chosen, *shape)
        took = seconds(lambda: ours.decode(latents), 1)
        print(f"decoding: {chosen / took:.1f} images a second (a small autoencoder's)")


if __name__ == "__main__":
    main()
