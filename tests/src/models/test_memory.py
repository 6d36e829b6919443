"""When memory is short: the same answers from networks that are sliced, or that take turns."""

import pytest
import torch

from tiny_models import CAPTIONS
from verbatim.models import latent
from verbatim.models.load import ModelFolderError, load_denoiser
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.whitebox.dcs import score_captions


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["slicing", "offload"])
@pytest.mark.parametrize("family", ["sd", "if"])
def test_scores_and_images_are_those_of_the_whole_model(family, memory, tiny_sd, tiny_if):
    folder = {"sd": tiny_sd, "if": tiny_if}[family]
    short, full = (load_denoiser(folder, family, "cpu", memory=m) for m in (memory, "full"))
    (found,), (expected,) = (score_captions(d, CAPTIONS[:4], [0], 7.5, 4) for d in (short, full))
    for name, values in expected.scores.items():
        assert found.scores[name] == pytest.approx(values, rel=1e-4, abs=1e-4)
    images = [
        [image for _, _, image in generate(d, CAPTIONS[:2], [0], Sampling(2, 3.0), 2)]
        for d in (short, full)
    ]
    for ours, theirs in zip(*images, strict=True):
        # IF starts from so much noise that the last bits of two kernels show: workflow/docs/scale.md
        assert abs(ours - theirs).max() <= (3 / 255 if family == "if" else 1e-3)


def test_attention_is_sliced_and_images_are_decoded_one_at_a_time(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu", memory="slicing")
    assert {type(p).__name__ for p in d.unet.attn_processors.values()} == {"SlicedAttnProcessor"}
    assert d.vae.use_slicing


def test_a_processor_decodes_few_pixels_at_a_time_and_nothing_depends_on_it(tiny_sd, monkeypatch):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    x0 = torch.randn(5, *d.shape, generator=torch.Generator().manual_seed(0))
    sizes, decoder = [], d.vae.decoder
    decoder.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    whole = d.decode(x0)
    monkeypatch.setattr(latent, "CACHED_PIXELS", 2 * d.size**2)
    parts = d.decode(x0)
    assert sizes == [5, 2, 2, 1]
    assert torch.allclose(whole, parts, atol=1e-6)
    monkeypatch.setattr(latent, "CACHED_PIXELS", 1)
    assert torch.allclose(whole, d.decode(x0), atol=1e-6)


class Watched(torch.nn.Module):
    """A network that notes where it is sent."""

    def __init__(self):
        super().__init__()
        self.at = []

    def to(self, device):
        self.at.append(str(device))
        return self


def test_with_offload_one_network_at_a_time_is_on_the_device(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    text, unet = Watched(), Watched()
    d.device = torch.device("cuda")  # where networks are sent; none is called here
    d.place([text, unet], offload=True)
    assert (text.at, unet.at) == (["cpu"], ["cpu"])
    assert d.here(text) is text
    assert (text.at[-1], unet.at[-1]) == ("cuda", "cpu")
    d.here(unet)
    assert (text.at[-1], unet.at[-1]) == ("cpu", "cuda")
    d.place([text, unet])
    assert (text.at[-1], unet.at[-1]) == ("cuda", "cuda")
    moves = len(text.at)
    d.here(text)
    assert len(text.at) == moves, "a model that fits is not moved about"


@pytest.mark.slow
def test_every_network_of_an_adapter_is_asked_for_before_it_is_called(
    tiny_sd, tiny_if, monkeypatch
):
    for folder, family, parts in (
        (tiny_sd, "sd", {"text_encoder", "unet", "vae"}),
        (tiny_if, "if", {"text_encoder", "unet"}),
    ):
        d = load_denoiser(folder, family, "cpu")
        asked = []
        monkeypatch.setattr(
            d, "here", lambda network, asked=asked: asked.append(network) or network
        )
        list(generate_one_step(d, CAPTIONS[:1], [0], 7.5, 1))
        assert {id(network) for network in asked} == {id(getattr(d, part)) for part in parts}


def test_an_unknown_way_to_save_memory_is_refused(tiny_sd):
    with pytest.raises(ModelFolderError, match=r"memory 'less' is unknown; full, slicing, offload"):
        load_denoiser(tiny_sd, "sd", "cpu", memory="less")
