"""Folders as the public checkpoints are published: their files and configs, the networks made small.

Keys, file names, classes and schedules are those of stable-diffusion-v1-5, stable-diffusion-2 and
-2-1 (v-prediction), openjourney and DeepFloyd/IF-I-XL-v1.0; widths, depths (but for the 23 layers
of SD 2's text encoder) and vocabularies are cut down, weights are random.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from tiny_models import CAPTIONS, _randomize

START, END = "<|startoftext|>", "<|endoftext|>"
LATENT_BETAS = {
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "num_train_timesteps": 1000, "trained_betas": None,
}  # fmt: skip
SCHEDULERS: dict[str, dict[str, Any]] = {
    # stable-diffusion-v1-5, Realistic_Vision
    "PNDM": {
        "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", **LATENT_BETAS,
        "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "clip_sample": False,
    },
    # stable-diffusion-2 and -2-1
    "DDIM v": {
        "_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", **LATENT_BETAS,
        "clip_sample": False, "prediction_type": "v_prediction", "set_alpha_to_one": False,
        "skip_prk_steps": True, "steps_offset": 1,
    },
    # fine-tunes
    "Euler": {
        "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.3", **LATENT_BETAS,
        "interpolation_type": "linear", "prediction_type": "epsilon", "sample_max_value": 1.0,
        "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
        "timestep_spacing": "leading", "use_karras_sigmas": False, "clip_sample": False,
    },
    "Euler ancestral": {
        "_class_name": "EulerAncestralDiscreteScheduler", "_diffusers_version": "0.17.0",
        **LATENT_BETAS, "prediction_type": "epsilon",
    },
    "DPM++": {
        "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.17.0", **LATENT_BETAS,
        "algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint",
        "lower_order_final": True, "thresholding": False, "prediction_type": "epsilon",
        "dynamic_thresholding_ratio": 0.995, "sample_max_value": 1.0, "use_karras_sigmas": True,
    },
}  # fmt: skip
IF_SCHEDULER = {
    "_class_name": "DDPMScheduler", "_diffusers_version": "0.16.0.dev0", "beta_end": 0.02,
    "beta_schedule": "squaredcos_cap_v2", "beta_start": 0.0001, "clip_sample": True,
    "clip_sample_range": 1.0, "dynamic_thresholding_ratio": 0.95, "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "sample_max_value": 1.5, "thresholding": True,
    "trained_betas": None, "variance_type": "learned_range",
}  # fmt: skip


def write(file: Path, data: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, indent=2) if not isinstance(data, str) else data)


def save_weights(file: Path, weights: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in weights.items()}, file, metadata={"format": "pt"})


def save_shards(folder: Path, stem: str, weights: dict[str, Any], variant: str = "") -> None:
    """Weights in two files and an index, as both libraries write what is too large for one file."""
    names = sorted(weights)
    dotted, files = f".{variant}" if variant else "", {}
    for i, part in enumerate((names[::2], names[1::2]), 1):
        file = f"{stem}{dotted}-{i:05d}-of-00002.safetensors"
        save_weights(folder / file, {name: weights[name] for name in part})
        files |= dict.fromkeys(part, file)
    size = sum(w.numel() * w.element_size() for w in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": files}
    write(folder / f"{stem}.safetensors.index{dotted}.json", index)


def added(content: str, normalized: bool = True) -> dict[str, Any]:
    return {
        "__type": "AddedToken", "content": content, "lstrip": False, "normalized": normalized,
        "rstrip": False, "single_word": False,
    }  # fmt: skip


def write_clip_tokenizer(folder: Path, pad: str, scratch: Path) -> int:
    """vocab.json, merges.txt and two configs, as OpenAI's and OpenCLIP's are; the vocabulary's size."""
    from verbatim.world.tokenizers import build_clip_tokenizer

    build_clip_tokenizer(CAPTIONS, scratch, max_length=77)
    model = json.loads((scratch / "tokenizer.json").read_text("utf-8"))["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    write(folder / "vocab.json", model["vocab"])
    write(folder / "merges.txt", "\n".join(["#version: 0.2", *merges]) + "\n")
    mapped = {"bos_token": START, "eos_token": END, "pad_token": pad, "unk_token": END}
    write(folder / "special_tokens_map.json", mapped)
    write(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False, "bos_token": added(START), "do_lower_case": True,
            "eos_token": added(END), "errors": "replace", "model_max_length": 77,
            "name_or_path": "openai/clip-vit-large-patch14", "pad_token": pad,
            "special_tokens_map_file": "./special_tokens_map.json",
            "tokenizer_class": "CLIPTokenizer", "unk_token": added(END),
        },
    )  # fmt: skip
    return len(model["vocab"])


def write_text_encoder(folder: Path, vocabulary: int, width: int, sd2: bool) -> None:
    """config.json as published; weights under their old names, with the old buffer position_ids."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    config = {
        "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0,
        "dropout": 0.0, "eos_token_id": 2, "hidden_act": "gelu" if sd2 else "quick_gelu",
        "hidden_size": width, "initializer_factor": 1.0, "initializer_range": 0.02,
        "intermediate_size": 2 * width, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
        "model_type": "clip_text_model", "num_attention_heads": 2,
        "num_hidden_layers": 23 if sd2 else 2, "pad_token_id": 1, "projection_dim": 512 if sd2 else width,
        "torch_dtype": "float32", "transformers_version": "4.25.0.dev0", "vocab_size": vocabulary,
    }  # fmt: skip
    write(folder / "config.json", config)
    model = _randomize(CLIPTextModel(CLIPTextConfig(**config)), 2)
    weights = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in model.state_dict().items()}  # fmt: skip
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_weights(folder / "model.safetensors", weights)


def make_public_sd(folder: Path, scheduler: str = "PNDM", sd2: bool = False) -> Path:
    """stable-diffusion-v1-5, or with `sd2` stable-diffusion-2: the same pipeline, other parts."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    width = 16
    vocabulary = write_clip_tokenizer(
        folder / "tokenizer", "!" if sd2 else END, folder.parent / f"{folder.name}-scratch"
    )
    write_text_encoder(folder / "text_encoder", vocabulary, width, sd2)
    unet = {
        "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu",
        "attention_head_dim": 8, "block_out_channels": [32, 32, 32, 32],
        "center_input_sample": False, "cross_attention_dim": width,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
        "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
        "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
        "norm_num_groups": 32, "out_channels": 4, "sample_size": 16,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    }  # fmt: skip
    if sd2:
        unet |= {
            "attention_head_dim": [2, 4, 4, 8], "dual_cross_attention": False,
            "num_class_embeds": None, "only_cross_attention": False, "upcast_attention": True,
            "use_linear_projection": True, "sample_size": 24,
        }  # fmt: skip
    vae = {
        "_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu",
        "block_out_channels": [32, 32, 32, 32], "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": 3, "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32,
        "out_channels": 3, "sample_size": 512, "up_block_types": ["UpDecoderBlock2D"] * 4,
    }  # fmt: skip
    for name, config, kind in (("unet", unet, UNet2DConditionModel), ("vae", vae, AutoencoderKL)):
        write(folder / name / "config.json", config)
        network = _randomize(kind.from_config(config), 3)
        save_weights(folder / name / "diffusion_pytorch_model.safetensors", network.state_dict())
    write(folder / "scheduler/scheduler_config.json", SCHEDULERS[scheduler])
    write(folder / "feature_extractor/preprocessor_config.json", {"crop_size": 224})
    write(folder / "safety_checker/config.json", {"model_type": "clip"})
    (folder / "safety_checker/pytorch_model.bin").write_bytes(b"never opened")
    (folder / "v1-5-pruned.ckpt").write_bytes(b"never opened")
    write(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "requires_safety_checker": True,
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "scheduler": ["diffusers", SCHEDULERS[scheduler]["_class_name"]],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        },
    )  # fmt: skip
    return folder


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def make_spiece(pieces: list[tuple[str, float]]) -> bytes:
    """A sentencepiece model: its message written byte by byte, with a trainer_spec that is skipped."""
    out = b""
    for i, (piece, score) in enumerate(pieces):
        kind = b"\x18" + _varint(2 if i == 2 else 3 if i < 2 else 1)  # unknown, control, normal
        out += _field(1, _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + kind)
    out += _field(2, b"\x18\x01" + _field(7, b"trainer") + b"\x51" + bytes(8))
    return out + _field(3, _field(1, b"nmt_nfkc"))


def make_public_if(folder: Path) -> Path:
    """DeepFloyd/IF-I-XL-v1.0: spiece.model, T5 v1.1 in shards, everything in fp16 too, a watermarker."""
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel

    words = sorted({f"▁{word}" for caption in CAPTIONS for word in caption.split()})
    letters = ["▁", *"abcdefghijklmnopqrstuvwxyz'"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(p, -8.0) for p in letters] + [(p, -3.0) for p in words]
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "tokenizer/spiece.model").write_bytes(make_spiece(pieces))
    sentinels = [f"<extra_id_{i}>" for i in range(100)]
    mapped = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    mapped["additional_special_tokens"] = sentinels
    write(folder / "tokenizer/special_tokens_map.json", mapped)
    config = {"extra_ids": 100, "model_max_length": 512, "name_or_path": "google/t5-v1_1-xxl",
              "sp_model_kwargs": {}, "special_tokens_map_file": None, "tokenizer_class": "T5Tokenizer"}  # fmt: skip
    write(folder / "tokenizer/tokenizer_config.json", mapped | config)

    text = {
        "architectures": ["T5EncoderModel"], "d_ff": 32, "d_kv": 8, "d_model": 16,
        "decoder_start_token_id": 0, "dense_act_fn": "gelu_new", "dropout_rate": 0.1,
        "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0,
        "is_encoder_decoder": True, "is_gated_act": True, "layer_norm_epsilon": 1e-06,
        "model_type": "t5", "num_decoder_layers": 2, "num_heads": 2, "num_layers": 2,
        "output_past": True, "pad_token_id": 0, "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32, "tie_word_embeddings": False,
        "torch_dtype": "float16", "transformers_version": "4.26.1", "use_cache": True,
        "vocab_size": 256,
    }  # fmt: skip
    write(folder / "text_encoder/config.json", text)
    encoder = _randomize(T5EncoderModel(T5Config(**text)), 1)
    weights = {k: v for k, v in encoder.state_dict().items() if "embed_tokens" not in k}
    save_shards(folder / "text_encoder", "model", weights)
    half = {k: v.to(torch.float16) for k, v in weights.items()}
    save_shards(folder / "text_encoder", "model", half, "fp16")

    unet = {
        "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.16.0.dev0", "act_fn": "gelu",
        "addition_embed_type": "text", "addition_embed_type_num_heads": 2, "attention_head_dim": 8,
        "block_out_channels": [32, 32], "center_input_sample": False, "class_embed_type": None,
        "class_embeddings_concat": False, "conv_in_kernel": 3, "conv_out_kernel": 3,
        "cross_attention_dim": 32, "cross_attention_norm": "group_norm",
        "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
        "downsample_padding": 1, "dual_cross_attention": False, "encoder_hid_dim": 16,
        "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 3, "layers_per_block": 2,
        "mid_block_scale_factor": 1, "mid_block_only_cross_attention": None,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
        "num_class_embeds": None, "only_cross_attention": False, "out_channels": 6,
        "projection_class_embeddings_input_dim": None, "resnet_out_scale_factor": 1.0,
        "resnet_skip_time_act": False, "resnet_time_scale_shift": "scale_shift", "sample_size": 16,
        "time_cond_proj_dim": None, "time_embedding_act_fn": None, "time_embedding_dim": None,
        "time_embedding_type": "positional", "timestep_post_act": None,
        "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
        "upcast_attention": False, "use_linear_projection": False,
    }  # fmt: skip
    write(folder / "unet/config.json", unet)
    network = _randomize(UNet2DConditionModel.from_config(unet), 2)
    stem = "diffusion_pytorch_model"
    save_weights(folder / f"unet/{stem}.safetensors", network.state_dict())
    half = {k: v.to(torch.float16) for k, v in network.state_dict().items()}
    save_weights(folder / f"unet/{stem}.fp16.safetensors", half)
    write(folder / "scheduler/scheduler_config.json", IF_SCHEDULER)
    (folder / "watermarker").mkdir()
    (folder / "watermarker/diffusion_pytorch_model.bin").write_bytes(b"never opened")
    write(
        folder / "model_index.json",
        {
            "_class_name": "IFPipeline", "_diffusers_version": "0.16.0.dev0",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "requires_safety_checker": True, "safety_checker": ["deepfloyd_if", "IFSafetyChecker"],
            "scheduler": ["diffusers", "DDPMScheduler"],
            "text_encoder": ["transformers", "T5EncoderModel"],
            "tokenizer": ["transformers", "T5Tokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "watermarker": ["deepfloyd_if", "IFWatermarker"],
        },
    )  # fmt: skip
    return folder
