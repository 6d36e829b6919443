"""Tiny checkpoints of SDXL, SD 3 and FLUX: pipelines of the real classes, saved by diffusers itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiny_models import CAPTIONS, _randomize


def _clip_config(tokenizer: Any, width: int, layers: int = 3, act: str = "quick_gelu") -> Any:
    from transformers import CLIPTextConfig

    end = tokenizer.eos_token_id
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width,
        num_hidden_layers=layers, num_attention_heads=2, max_position_embeddings=77,
        bos_token_id=end - 1, eos_token_id=end, pad_token_id=end, projection_dim=width, hidden_act=act,
    )  # fmt: skip


def _clip_tokenizer(folder: Path) -> Any:
    from verbatim.world.tokenizers import build_clip_tokenizer

    return build_clip_tokenizer(CAPTIONS, folder, max_length=77)


def _t5(folder: Path, width: int) -> tuple[Any, Any]:
    """A T5 encoder of this width, and its tokenizer."""
    from transformers import T5Config, T5EncoderModel

    from verbatim.world.tokenizers import build_t5_tokenizer

    tokenizer = build_t5_tokenizer(CAPTIONS, folder, max_length=512)
    config = T5Config(
        vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
        feed_forward_proj="gated-gelu", dropout_rate=0.0,
    )  # fmt: skip
    return _randomize(T5EncoderModel(config), 1), tokenizer


def _vae(seed: int, layers: int = 1, **options: Any) -> Any:
    from diffusers import AutoencoderKL

    return _randomize(
        AutoencoderKL(
            block_out_channels=(8, 8, 8, 8), layers_per_block=layers, norm_num_groups=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4, sample_size=64, **options,
        ),
        seed,
    )  # fmt: skip


def make_sdxl(folder: str | os.PathLike, scratch: Path, **scheduler: Any) -> Any:
    """A StableDiffusionXLPipeline of 64-pixel images, saved to `folder`; widths of its encoders differ."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = _clip_tokenizer(scratch / "clip")
    one = _randomize(CLIPTextModel(_clip_config(tokenizer, 16)), 1)
    two = _randomize(CLIPTextModelWithProjection(_clip_config(tokenizer, 24, act="gelu")), 2)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16, 16),
        layers_per_block=2, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2), attention_head_dim=(1, 2, 2),
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24, cross_attention_dim=16 + 24,
    )  # fmt: skip
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(4, layers=2, scaling_factor=0.13025, force_upcast=True), text_encoder=one,
        text_encoder_2=two, tokenizer=tokenizer, tokenizer_2=tokenizer, unet=_randomize(unet, 3),
        scheduler=EulerDiscreteScheduler(**schedule, **scheduler),
        force_zeros_for_empty_prompt=True, add_watermarker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_sd3(folder: str | os.PathLike, scratch: Path, t5: bool = True) -> Any:
    """A StableDiffusion3Pipeline of 64-pixel images, with T5 or without, saved to `folder`."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import CLIPTextModelWithProjection

    tokenizer = _clip_tokenizer(scratch / "clip")
    encoder, tokenizer_3 = _t5(scratch / "t5", 48) if t5 else (None, None)
    one, two = (
        _randomize(CLIPTextModelWithProjection(_clip_config(tokenizer, width)), width)
        for width in (16, 24)
    )
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
        attention_head_dim=8, num_attention_heads=2, caption_projection_dim=16,
        joint_attention_dim=48, pooled_projection_dim=40, pos_embed_max_size=16,
    )  # fmt: skip
    pipeline = StableDiffusion3Pipeline(
        transformer=_randomize(transformer, 3), scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(
            4, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=one, tokenizer=tokenizer, text_encoder_2=two, tokenizer_2=tokenizer,
        text_encoder_3=encoder, tokenizer_3=tokenizer_3,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_flux(folder: str | os.PathLike, scratch: Path, dev: bool = True) -> Any:
    """A FluxPipeline of 64-pixel images, saved to `folder`.

    dev : as FLUX.1-dev, with an embedded guidance and a dynamic shift; else as FLUX.1-schnell.
    """
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel

    tokenizer = _clip_tokenizer(scratch / "clip")
    encoder, tokenizer_2 = _t5(scratch / "t5", 24)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=24, pooled_projection_dim=16,
        axes_dims_rope=(4, 6, 6), guidance_embeds=dev,
    )  # fmt: skip
    dynamic: dict[str, Any] = {"shift": 3.0, "use_dynamic_shifting": True}
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**(dynamic if dev else {"shift": 1.0})),
        vae=_vae(
            4, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=_randomize(CLIPTextModel(_clip_config(tokenizer, 16)), 1), tokenizer=tokenizer,
        text_encoder_2=encoder, tokenizer_2=tokenizer_2, transformer=_randomize(transformer, 3),
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_sd_pipeline(
    folder: str | os.PathLike, scratch: Path, layers: int = 2, prediction: str = "epsilon"
) -> Any:
    """A StableDiffusionPipeline of 64-pixel images, saved to `folder`; of 23 layers in its text encoder: SD 2."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    second = layers == 23
    tokenizer = _clip_tokenizer(scratch / "clip")
    config = _clip_config(
        tokenizer, 24 if second else 16, layers, "gelu" if second else "quick_gelu"
    )
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16, 16),
        layers_per_block=2, norm_num_groups=4, cross_attention_dim=24 if second else 16,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=2, use_linear_projection=second,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=_vae(4, layers=2, scaling_factor=0.18215), text_encoder=_randomize(CLIPTextModel(config), 1),
        tokenizer=tokenizer, unet=_randomize(unet, 3),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
            set_alpha_to_one=False, steps_offset=1, prediction_type=prediction,
            timestep_spacing="trailing",
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
