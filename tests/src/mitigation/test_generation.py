"""Which images a run is made of, and their drawing."""

import made_sweep
import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageArchive, MissingImageError, write_archive
from verbatim.mitigation.defences import Defended
from verbatim.mitigation.generation import draw_images, name_images, plan_images
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, generate

ROWS = pd.DataFrame(
    {
        "image_id": np.arange(100, 140, dtype=np.int32),
        "caption": [f"image {i}" for i in range(40)],
        "planted": np.arange(40) < 8,
        "member": np.arange(40) < 36,
    }
)


def plan(rows=ROWS, n=18, more=3, others=4, seed=0, unconditional=False):
    return plan_images(rows, n, more, others, seed, unconditional)


def test_one_image_each_of_a_sample_in_which_duplicated_ones_have_their_share():
    one = plan().query("kind == 'one'")
    assert len(one) == one.image_id.nunique() == 18
    assert one.planted.sum() == 4  # 8 of 36 members are
    assert one.member.all()


def test_more_images_of_every_duplicated_caption_and_of_some_others():
    more = plan().query("kind == 'more'")
    assert more.groupby("image_id").size().tolist() == [3] * 12
    assert set(more.image_id[more.planted]) == set(range(100, 108))
    assert set(more.image_id[~more.planted]) == set(range(108, 112))


def test_no_two_images_of_a_study_have_the_same_noise():
    both = pd.concat([plan(seed=0), plan(seed=1)])
    assert both.gen_seed.is_unique
    assert plan().equals(plan())


def test_a_sample_larger_than_the_members_takes_all_of_them():
    one = plan(n=500).query("kind == 'one'")
    assert sorted(one.image_id) == list(range(100, 136))


def test_an_unconditional_run_has_as_many_images_of_nothing():
    found = plan(unconditional=True)
    assert len(found) == len(plan())
    assert set(found.image_id) == {-1}
    assert set(found.caption) == {""}
    assert found.kind.tolist() == plan().kind.tolist()
    assert not found.planted.any()


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_images_are_those_of_the_models_sampler(tiny_sd, guidance):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    prompts, seeds = ["red heart", "open book", "red heart"], [3, 4, 5]
    defended = Defended(denoiser, "none", made_sweep.INFERENCE, 0)
    found = list(draw_images(defended, prompts, seeds, Sampling(2, guidance), 2))
    for prompt, seed, image in zip(prompts, seeds, found, strict=True):
        _, _, expected = next(generate(denoiser, [prompt], [seed], Sampling(2, guidance), 1))
        assert np.abs(image - expected).max() < 1e-3


def test_no_caption_is_drawn_without_guidance_and_costs_half(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    defended = Defended(denoiser, "none", made_sweep.INFERENCE, 0)
    found = list(draw_images(defended, ["", ""], [1, 2], Sampling(2, 3.0), 2))
    assert denoiser.rows == 2 * 3
    _, _, expected = next(generate(denoiser, [""], [1], Sampling(2, 1.0), 1))
    assert np.abs(found[0] - expected).max() < 1e-3


def test_a_image_that_is_not_finite_is_recorded_in_the_archive_and_many_end_the_run(tmp_path):
    images = [np.full((4, 4, 3), 0.5, np.float32) for _ in range(300)]
    images[7] = images[7] * np.nan
    missing = []
    write_archive(tmp_path / "a.zip", name_images(images, 300, "float16", missing))
    assert missing == [7]
    with (
        ImageArchive(tmp_path / "a.zip") as archive,
        pytest.raises(MissingImageError, match="finite"),
    ):
        archive.read("7.png")
    for i in range(4):
        images[i] = images[7]
    with pytest.raises(NetworkError, match=r"4 of 300 generations .* in float16; set .*float32"):
        list(name_images(images, 300, "float16", []))
