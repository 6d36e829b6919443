"""Tiny pipelines with random weights, in diffusers' own layout, for the tests of every stage."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

CAPTIONS = [
    "red heart", "woman running medium skin tone", "flag with two stars", "black cat face",
    "man cook", "one o'clock", "family of three", "sun behind a cloud", "waving hand", "open book",
]  # fmt: skip


def _randomize(model: Any, seed: int) -> Any:
    """Weights from the seed alone: none zero, captions matter, and rounding is not blown up."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim < 2:
                parameter.copy_(0.1 * noise + (1.0 if name.endswith("weight") else 0.0))
            else:
                gain = 1.0 if "attn2" in name or "attentions" in name else 0.3
                parameter.copy_(noise * gain / parameter[0].numel() ** 0.5)
    return model.eval()


def _write_index(folder: Path, pipeline: str, **parts: tuple[str | None, str | None]) -> None:
    """model_index.json as `save_pretrained` writes it, without the seconds its import takes."""
    from diffusers import __version__

    index = {"_class_name": pipeline, "_diffusers_version": __version__}
    index |= {name: list(part) for name, part in parts.items()}
    index |= {"feature_extractor": [None, None], "safety_checker": [None, None]}
    index |= {"requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


def make_sd(
    folder: str | os.PathLike,
    size: int = 32,
    prediction_type: str = "epsilon",
    seed: int = 0,
    latent_channels: int = 4,
    captions: list[str] | None = None,
) -> Path:
    """A StableDiffusionPipeline folder: images of `size` pixels, latents a quarter of that."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from verbatim.world.tokenizers import build_clip_tokenizer

    folder = Path(folder)
    tokenizer = build_clip_tokenizer(captions or CAPTIONS, folder / "tokenizer", max_length=16)
    end = tokenizer.eos_token_id
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=16, bos_token_id=end - 1,
            eos_token_id=end, pad_token_id=end,
        )
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=latent_channels, sample_size=size, scaling_factor=0.5,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=size // 4, in_channels=latent_channels, out_channels=latent_channels,
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1, prediction_type=prediction_type,
    )  # fmt: skip
    _randomize(vae, seed + 1).save_pretrained(folder / "vae")
    _randomize(text, seed + 2).save_pretrained(folder / "text_encoder")
    _randomize(unet, seed + 3).save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    _write_index(
        folder,
        "StableDiffusionPipeline",
        scheduler=("diffusers", "DDIMScheduler"),
        text_encoder=("transformers", "CLIPTextModel"),
        tokenizer=("transformers", "CLIPTokenizer"),
        unet=("diffusers", "UNet2DConditionModel"),
        vae=("diffusers", "AutoencoderKL"),
    )
    return folder


def make_if(
    folder: str | os.PathLike,
    size: int = 16,
    seed: int = 0,
    prediction_type: str = "epsilon",
    captions: list[str] | None = None,
    upscaler: str | os.PathLike | None = None,
) -> Path:
    """An IFPipeline folder (stage I): images of `size` pixels, six output channels.

    upscaler : folder to make a stage II of it in, see `make_if_upscaler`.
    """
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel

    from verbatim.world.tokenizers import build_t5_tokenizer

    folder = Path(folder)
    tokenizer = build_t5_tokenizer(captions or CAPTIONS, folder / "tokenizer", max_length=16)
    text = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu", dropout_rate=0.0,
        )
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=size, in_channels=3, out_channels=6, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
        encoder_hid_dim=16, act_fn="gelu",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        addition_embed_type="text", addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift", cross_attention_norm="layer_norm",
    )  # fmt: skip
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", thresholding=True, dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5, variance_type="learned_range", prediction_type=prediction_type,
    )  # fmt: skip
    _randomize(text, seed + 1).save_pretrained(folder / "text_encoder")
    _randomize(unet, seed + 2).save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    _write_index(
        folder,
        "IFPipeline",
        scheduler=("diffusers", "DDPMScheduler"),
        text_encoder=("transformers", "T5EncoderModel"),
        tokenizer=("transformers", "T5Tokenizer"),
        unet=("diffusers", "UNet2DConditionModel"),
        watermarker=(None, None),
    )
    if upscaler is not None:
        make_if_upscaler(upscaler, 2 * size, seed + 3)
    return folder


def make_if_upscaler(folder: str | os.PathLike, size: int = 32, seed: int = 3) -> Path:
    """A stage II for `make_if`, as published but for its text encoder: an IFSuperResolutionPipeline folder."""
    from diffusers import DDPMScheduler, IFSuperResolutionPipeline, UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=size, in_channels=6, out_channels=6, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, cross_attention_dim=16, attention_head_dim=4,
        encoder_hid_dim=16, act_fn="gelu", class_embed_type="timestep",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        addition_embed_type="text", addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift", cross_attention_norm="layer_norm",
    )  # fmt: skip
    schedule = {"beta_schedule": "squaredcos_cap_v2"}
    scheduler = DDPMScheduler(
        **schedule, thresholding=True, dynamic_thresholding_ratio=0.95, sample_max_value=1.0,
        variance_type="learned_range", prediction_type="epsilon",
    )  # fmt: skip
    IFSuperResolutionPipeline(
        tokenizer=None, text_encoder=None, unet=_randomize(unet, seed), scheduler=scheduler,
        image_noising_scheduler=DDPMScheduler(**schedule), safety_checker=None,
        feature_extractor=None, watermarker=None, requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return Path(folder)


def with_prediction(folder: Path, to: Path, prediction_type: str) -> Path:
    """A copy of a pipeline, `to`/`prediction_type`, whose scheduler says another prediction type."""
    copy = to / prediction_type
    shutil.copytree(folder, copy)
    file = copy / "scheduler" / "scheduler_config.json"
    config = json.loads(file.read_text()) | {"prediction_type": prediction_type}
    file.write_text(json.dumps(config))
    return copy


def overflow_at(denoiser: Any, *captions: str) -> Any:
    """The denoiser, whose network has infinite answers for these captions, as half precision may."""
    import torch

    plain, bad = denoiser.network, denoiser.encode(list(captions)).states

    def network(x: Any, t: Any, cond: Any) -> Any:
        out = plain(x, t, cond).clone()
        for one in bad:
            hit = torch.isclose(cond.states, one, atol=1e-4).flatten(1).all(1)
            out[hit] = float("inf")
        return out

    denoiser.network = network
    return denoiser
