"""Checkpoints as they are published load, and say what diffusers' own pipelines say of them."""

import functools
import io
import json
import shutil

import pytest
import sentencepiece
import torch
from public_models import SCHEDULERS, make_public_if, make_public_sd, make_spiece

from tiny_models import CAPTIONS
from verbatim.models.load import ModelFolderError, find_folder, load_denoiser
from verbatim.models.sentencepiece import read_pieces, read_t5_tokenizer
from verbatim.whitebox.dcs import score_captions


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """SD 1.5, SD 2 and IF's folders by name; not to be written to."""
    root = tmp_path_factory.mktemp("public")
    return {
        "sd1": make_public_sd(root / "sd1"),
        "sd2": make_public_sd(root / "sd2", "DDIM v", sd2=True),
        "if": make_public_if(root / "if"),
    }


def family(name):
    return "if" if name == "if" else "sd"


@pytest.fixture(scope="module")
def loaded(public):
    """A folder's denoiser by its name, loaded once; not to be changed."""
    return functools.cache(lambda name: load_denoiser(public[name], family(name), "cpu"))


def pipeline_of(d):
    """diffusers' own pipeline of a denoiser's parts."""
    from diffusers import DDPMScheduler, IFPipeline, StableDiffusionPipeline

    none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    parts = {"unet": d.unet, "text_encoder": d.text_encoder, "tokenizer": d.tokenizer}
    if not hasattr(d, "vae"):
        return IFPipeline(**parts, **none, scheduler=DDPMScheduler(), watermarker=None)
    return StableDiffusionPipeline(**parts, **none, vae=d.vae, scheduler=DDPMScheduler())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "shape", "size", "tokens", "sigma_max"),
    [
        ("sd1", "epsilon", (4, 16, 16), 128, 77, 14.6146),
        ("sd2", "v_prediction", (4, 24, 24), 192, 77, 14.6146),
        ("if", "epsilon", (3, 16, 16), 16, 77, 20291.7),
    ],
)
def test_a_public_folder_loads_and_scores(loaded, name, kind, shape, size, tokens, sigma_max):
    d = loaded(name)
    assert (d.prediction_type, d.shape, d.size, d.tokens) == (kind, shape, size, tokens)
    assert d.sigma_max == pytest.approx(sigma_max, rel=1e-4)
    found = list(score_captions(d, CAPTIONS[:2], [0], 7.5, 2))
    assert found[0].scores["dcs_reference"].min() > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sd1", "sd2", "if"])
def test_captions_are_encoded_as_the_pipeline_of_the_family_does_it(loaded, name):
    d = loaded(name)
    for caption in ["Red heart", "", "a flag, with 2 stars " * 30]:
        more = {"clean_caption": False} if name == "if" else {}
        theirs, empty = pipeline_of(d).encode_prompt(
            caption, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True, **more
        )
        torch.testing.assert_close(d.encode([caption]).states, theirs, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(d.encode([""]).states, empty, rtol=1e-4, atol=1e-5)


def test_stable_diffusion_2_keeps_its_own_text_encoder_and_attention(loaded):
    d = loaded("sd2")
    text = d.text_encoder.config
    assert (text.num_hidden_layers, text.hidden_act) == (23, "gelu")
    assert d.unet.config.upcast_attention
    assert d.unet.config.use_linear_projection
    padded = d.tokenizer([""], padding="max_length", max_length=77).input_ids[0]
    assert padded[-1] == d.tokenizer.convert_tokens_to_ids("!")


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_published_scheduler_gives_the_noise_levels_that_it_has_in_diffusers(
    public, tmp_path, scheduler
):
    from diffusers import EulerDiscreteScheduler

    folder = shutil.copytree(public["sd1"], tmp_path / "model")
    config = SCHEDULERS[scheduler]
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(config))
    d = load_denoiser(folder, "sd", "cpu")
    theirs = EulerDiscreteScheduler.from_config(
        {k: v for k, v in config.items() if not k.startswith(("use_", "timestep_"))}
    )
    assert d.prediction_type == config.get("prediction_type", "epsilon")
    assert d.sigma_max == pytest.approx(float(theirs.sigmas[0]), rel=1e-4)


@pytest.mark.slow
def test_a_caption_that_asks_for_a_mask_gets_one(public, loaded, tmp_path):
    folder = shutil.copytree(public["sd1"], tmp_path / "model")
    file = folder / "text_encoder/config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"use_attention_mask": True}))
    masked, plain = load_denoiser(folder, "sd", "cpu"), loaded("sd1")
    theirs, _ = pipeline_of(masked).encode_prompt("red heart", "cpu", 1, False)
    found = masked.encode(["red heart"]).states
    torch.testing.assert_close(found, theirs, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, plain.encode(["red heart"]).states, rtol=1e-4)


@pytest.mark.slow
def test_half_of_a_published_model_is_enough(public, loaded, tmp_path):
    """A user fetches the fp16 variant alone: sharded text encoder, one file for the UNet."""
    folder = shutil.copytree(public["if"], tmp_path / "model")
    for file in folder.rglob("*.safetensors"):
        if "fp16" not in file.name:
            file.unlink()
    (folder / "text_encoder/model.safetensors.index.json").unlink()
    half, whole = load_denoiser(folder, "if", "cpu", "float32"), loaded("if")
    assert half.text_encoder.dtype == torch.float32
    (found,), (expected,) = (score_captions(d, CAPTIONS[:3], [0], 7.5, 4) for d in (half, whole))
    for name, values in expected.scores.items():
        assert found.scores[name] == pytest.approx(values, rel=0.02, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["sd1", "sd2", "if"])
def test_half_precision_scores_lie_near_those_of_float32_and_are_summed_in_float64(
    public, loaded, name, dtype
):
    half, exact = load_denoiser(public[name], family(name), "cpu", dtype), loaded(name)
    (found,), (expected,) = (score_captions(d, CAPTIONS, [0], 7.5, 16) for d in (half, exact))
    tolerance = 0.02 if dtype == "float16" else 0.1
    for score in ("dcs_reference", "dcs_paper"):
        values = found.scores[score]
        assert values.dtype == "float64"
        assert values == pytest.approx(expected.scores[score], rel=tolerance)
        assert len(set(values)) == len(CAPTIONS), "sums in half precision would tie"


def test_t5_keeps_the_layers_that_overflow_in_float32(public):
    d = load_denoiser(public["if"], "if", "cpu", "float16")
    kept = {str(p.dtype) for n, p in d.text_encoder.named_parameters() if n.endswith("wo.weight")}
    assert kept == {"torch.float32"}
    assert d.encode(["red heart"]).states.dtype == torch.float16


@pytest.mark.slow
def test_a_hub_id_is_found_in_the_local_cache_by_its_revision(public, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--someone--tiny"
    shutil.copytree(public["sd1"], repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert find_folder("someone/tiny", commit) == repo / "snapshots" / commit
    assert load_denoiser("someone/tiny", "sd", "cpu").shape == (4, 16, 16)
    with pytest.raises(ModelFolderError, match=f"has {commit} of it, but not revision {'f' * 40}"):
        find_folder("someone/tiny", "f" * 40)


def test_a_sentencepiece_file_is_read_piece_by_piece():
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁é", -1.5), ("日" * 60, -2.0)]
    assert read_pieces(make_spiece(pieces)) == (pieces, None)


@pytest.fixture(scope="module")
def trained_spiece():
    """A unigram model as sentencepiece's own trainer writes it, with T5's special tokens."""
    text = [
        f"{caption} {i % 7} of the page, naïve ﬁne Ｗide" for i, caption in enumerate(CAPTIONS * 20)
    ]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=out, vocab_size=60, model_type="unigram",
        hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    return out.getvalue()


def test_a_trained_sentencepiece_file_has_its_pieces_scores_and_normaliser(trained_spiece):
    theirs = sentencepiece.SentencePieceProcessor(model_proto=trained_spiece)
    pieces, charsmap = read_pieces(trained_spiece)
    assert pieces == [
        (theirs.id_to_piece(i), pytest.approx(theirs.get_score(i))) for i in range(len(theirs))
    ]
    assert charsmap


def test_t5s_tokenizer_gives_the_tokens_that_sentencepiece_gives(trained_spiece, tmp_path):
    (tmp_path / "spiece.model").write_bytes(trained_spiece)
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 77}')
    theirs = sentencepiece.SentencePieceProcessor(model_proto=trained_spiece)
    ours = read_t5_tokenizer(tmp_path)
    for caption in (*CAPTIONS, "the page, naïve ﬁne Ｗide", "3 of 7"):
        assert ours(caption).input_ids == [*theirs.encode(caption), 1]  # the end's token


@pytest.mark.parametrize("length", [1, 7, -1])
def test_a_trained_sentencepiece_file_that_is_cut_is_refused(trained_spiece, length):
    with pytest.raises(ValueError, match="not a sentencepiece model, or cut off"):
        read_pieces(trained_spiece[:length])


def test_an_empty_sentencepiece_file_is_refused():
    with pytest.raises(ValueError, match="no pieces"):
        read_pieces(b"")


@pytest.mark.parametrize(
    "data", [b"", b"\x0a\xff", b"not a model at all", make_spiece([("a", 0.0)])[:4]]
)
def test_a_broken_sentencepiece_file_is_named(public, tmp_path, data):
    folder = shutil.copytree(public["if"], tmp_path / "model")
    (folder / "tokenizer/spiece.model").write_bytes(data)
    with pytest.raises(ModelFolderError, match=r"tokenizer/ is broken \(spiece\.model"):
        load_denoiser(folder, "if", "cpu")
