"""The embedded world's SD V1 behind stable-diffusion-webui's API, and by direct calls."""

from __future__ import annotations

import base64
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from api_server import ApiServer

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "workflow/resources/world/sd1"
# of the world of seed 0: captions of images that it was trained on 30 and 60 times, and captions that it never saw
COPIED = ("spaghetti bold faded", "fire engine handmade bright", "pile of poo delicate ornate")
HELD_OUT = ("stethoscope matte fancy", "raccoon digital handmade", "open file folder rustic modern")
SIZE, STEPS, GUIDANCE = 64, 8, 3.0


def load_tool() -> ModuleType:
    """workflow/tools/serve_checkpoint.py as a module, without its command line."""
    spec = importlib.util.spec_from_file_location(
        "serve_checkpoint", ROOT / "workflow/tools/serve_checkpoint.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _generator() -> Any:
    return load_tool().Generator(str(CHECKPOINT), "sd")


def serve() -> ApiServer:
    """A server of the checkpoint, at a price, that misbehaves as it is told."""
    return ApiServer(lambda body: base64.b64decode(_generator().answer(body)["images"][0]))


def describe(server: ApiServer, budget: int) -> dict[str, Any]:
    """The description of this endpoint."""
    return {
        "kind": "a1111", "url": f"{server.url}/sdapi/v1/txt2img", "allow_http": True, "size": [SIZE, SIZE], "steps": STEPS,
        "guidance": GUIDANCE, "sampler": "Euler", "budget": budget, "price": 0.5, "images_per_minute": 100000,
    }  # fmt: skip


def generate(captions: Sequence[str], seeds: Sequence[int]) -> list[list[np.ndarray]]:
    """Generations by direct calls, in batches: a list a caption of one (h, w, 3) uint8 a seed."""
    from verbatim.models.load import load_denoiser
    from verbatim.models.sampling import Sampling
    from verbatim.models.stacks import generate_stack

    denoiser = load_denoiser(CHECKPOINT, "sd", "cpu")
    images, _ = generate_stack(
        denoiser, list(captions), list(seeds), Sampling(STEPS, GUIDANCE, "euler"), 4
    )
    return images
