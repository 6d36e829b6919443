"""Adding a family is an adapter: a transformer (PixArt) and SDXL run through scores that know neither.

How to add one: subclass `Denoiser` (or the adapter that is nearest) with `encode`, `network` and
`decode`; whatever a caption brings beside its states (a mask, a pooled code) goes into
`Condition.extra` and comes back to `network` row by row. Then an entry of `load.FAMILIES` says what
the folder holds, and the enum `family` of models.schema.json takes its word. No score is touched.
"""

import json
import math

import pytest
import torch

from tiny_models import CAPTIONS, _randomize, _write_index, make_if, make_sd
from verbatim.blackbox import ecs
from verbatim.metrics.edges import EdgePreset
from verbatim.models import load
from verbatim.models.denoiser import Condition
from verbatim.models.latent import LatentDenoiser
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.slow  # each makes and loads a pipeline of another kind

SEEDS = [0, 3]
SIZE = torch.tensor([[32.0, 32.0, 0.0, 0.0, 32.0, 32.0]])  # SDXL: original size, crop, target size


class PixArtDenoiser(LatentDenoiser):
    """A `PixArtAlphaPipeline`'s parts: a diffusion transformer, T5 states and their mask."""

    def encode(self, captions, batch=256):
        ids = self.tokenizer(
            list(captions), padding="max_length", max_length=self.tokens, truncation=True,
            return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad():
            states = self.here(self.text_encoder)(ids.input_ids, ids.attention_mask)[0]
        return Condition(states, {"mask": ids.attention_mask})

    def network(self, x, t, cond):
        out = self.here(self.unet)(
            x, encoder_hidden_states=cond.states, timestep=t,
            encoder_attention_mask=cond.extra["mask"],
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ).sample  # fmt: skip
        return out[:, : self.shape[0]]  # the learned variance has no part


class SdxlDenoiser(LatentDenoiser):
    """A `StableDiffusionXLPipeline`'s parts: two text encoders, a pooled code and the image's size."""

    def encode(self, captions, batch=256):
        ids = self.tokenizer(
            list(captions), padding="max_length", max_length=self.tokens, truncation=True,
            return_tensors="pt",
        ).input_ids  # fmt: skip
        with torch.no_grad():
            first, second = (
                self.here(encoder)(ids, output_hidden_states=True)
                for encoder in (self.text_encoder, self.text_encoder_2)
            )
        states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=2)
        return Condition(states, {"pooled": second.text_embeds})

    def network(self, x, t, cond):
        added = {"text_embeds": cond.extra["pooled"], "time_ids": SIZE.repeat(len(x), 1)}
        return self.here(self.unet)(
            x, t, encoder_hidden_states=cond.states, added_cond_kwargs=added, return_dict=False
        )[0]


@pytest.fixture(scope="module")
def pixart_folder(tmp_path_factory):
    """A PixArtAlphaPipeline in diffusers' layout, of the classes it is published with."""
    from diffusers import PixArtTransformer2DModel

    root = tmp_path_factory.mktemp("pixart")
    folder = make_sd(root / "pixart")
    t5 = make_if(root / "t5")
    for part in ("tokenizer", "text_encoder"):
        for file in (folder / part).iterdir():
            file.unlink()
        for file in (t5 / part).iterdir():
            file.rename(folder / part / file.name)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        cross_attention_dim=16, sample_size=8, caption_channels=16,
    )  # fmt: skip
    _randomize(transformer, 5).save_pretrained(folder / "transformer")
    _write_index(
        folder, "PixArtAlphaPipeline", tokenizer=("transformers", "T5Tokenizer"),
        text_encoder=("transformers", "T5EncoderModel"), vae=("diffusers", "AutoencoderKL"),
        transformer=("diffusers", "PixArtTransformer2DModel"),
        scheduler=("diffusers", "DPMSolverMultistepScheduler"),
    )  # fmt: skip
    return folder


def build_pixart(folder, parts, settings, config):
    parts = dict(parts)
    parts["text_encoder"].config.max_position_embeddings = 120  # PixArt's length; T5 has none
    return PixArtDenoiser(parts | {"unet": parts["transformer"]}, settings)


PIXART = load.Family(
    pipeline="PixArtAlphaPipeline",
    tokenizer={"tokenizer": "transformers.T5Tokenizer"},
    networks={
        "text_encoder": "transformers.T5EncoderModel",
        "transformer": "diffusers.PixArtTransformer2DModel",
        "vae": "diffusers.AutoencoderKL",
    },
    vocabulary=("tokenizer.json", "spiece.model"),
    build=build_pixart,
)


@pytest.fixture
def pixart(pixart_folder, monkeypatch):
    monkeypatch.setitem(load.FAMILIES, "pixart", PIXART)
    return load.load_denoiser(pixart_folder, "pixart", "cpu")


@pytest.fixture
def sdxl(tiny_sd):
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModelWithProjection

    base = load.load_denoiser(tiny_sd, "sd", "cpu")
    config = base.text_encoder.config
    config.projection_dim = 12
    second = _randomize(CLIPTextModelWithProjection(config), 7)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, cross_attention_dim=32, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2),
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=12 + 6 * 4,
    )  # fmt: skip
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    parts = {"unet": _randomize(unet, 8), "vae": base.vae, "text_encoder": base.text_encoder}
    d = SdxlDenoiser(
        parts | {"tokenizer": base.tokenizer},
        {"betas": betas, "prediction_type": "epsilon", "device": "cpu", "dtype": torch.float32},
    )
    d.text_encoder_2 = second
    return d


@pytest.fixture(params=["pixart", "sdxl"])
def adapter(request):
    return request.getfixturevalue(request.param)


def naive_dcs(d, caption, seed):
    """Webster 2023, eq. 1, one caption by the bare network, both halves."""
    noise = torch.randn((1, *d.shape), generator=torch.Generator().manual_seed(seed))
    x = noise * d.sigma_max / math.sqrt(d.sigma_max**2 + 1)
    with torch.no_grad():
        u, c = (d.network(x, torch.tensor([999.0]), d.encode([text])) for text in ("", caption))
    guided = (u + 7.5 * (c - u)).flatten().tolist()
    return d.sigma_max**2 * sum(value**2 for value in guided) / len(guided)


def test_dcs_runs_unchanged_and_a_caption_still_costs_one_row(adapter):
    found = {}
    for start, seed, scores in score_captions(adapter, CAPTIONS[:5], SEEDS, 7.5, batch=3):
        for i, value in enumerate(scores["dcs_reference"]):
            found[CAPTIONS[start + i], seed] = float(value)
    assert adapter.rows == 5 * len(SEEDS) + len(SEEDS)
    for (caption, seed), value in found.items():
        assert value == pytest.approx(naive_dcs(adapter, caption, seed), rel=1e-4)
    assert len(set(found.values())) == len(found), "captions matter"


def test_ecs_and_full_generations_run_unchanged(adapter):
    preset = EdgePreset(size=32, sobel="nd", threshold=1.0, agreement=0.5)
    made = [p for _, _, p in generate_one_step(adapter, CAPTIONS[:1], SEEDS, 7.5, batch=2)]
    assert 0 <= ecs.score_images(made, {"reference": preset}, "reference")["ecs"] <= 1
    together = list(generate(adapter, CAPTIONS[:3], SEEDS, Sampling(2, 3.0), 4))
    (alone,) = generate(adapter, CAPTIONS[2:3], SEEDS[1:], Sampling(2, 3.0), 1)
    assert abs(together[-1][2] - alone[2]).max() < 1e-3, "what a caption brings stays with it"


def test_a_new_familys_folder_is_checked_as_all_others(pixart_folder, monkeypatch):
    with pytest.raises(load.ModelFolderError, match="family 'pixart' cannot be run"):
        load.load_denoiser(pixart_folder, "pixart", "cpu")
    monkeypatch.setitem(load.FAMILIES, "pixart", PIXART)
    with pytest.raises(load.ModelFolderError, match="set family to 'pixart'"):
        load.load_denoiser(pixart_folder, "sd", "cpu")
    index = json.loads((pixart_folder / "model_index.json").read_text())
    assert index["_class_name"] == PIXART.pipeline
