"""The attacks as the study uses them, beside the stages that they come from."""

import numpy as np
import pandas as pd
import pytest

from tiny_models import overflow_at
from verbatim.io.images import ImageArchive, write_archive
from verbatim.membership.attacks import (
    choose_captions,
    score_clique,
    score_cliques,
    score_dcs,
    score_ecs,
)
from verbatim.metrics.edges import EdgePreset, edge_consistency, edge_maps, resize_images
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import generate_one_step
from verbatim.whitebox.dcs import score_captions

CAPTIONS = ["red heart", "open book", "man cook"]
WORLD = {"size": 16, "sobel": "nd", "threshold": 2.0, "agreement": 0.5, "guidance": 1.0}
CLIQUE = {"tiles": 4, "edge": 0.1, "clique": 3}


def test_captions_are_of_all_duplicated_some_others_and_some_held_out():
    rows = pd.DataFrame(
        {
            "image_id": range(6), "caption": list("abcdef"), "planted": [True] + [False] * 5,
            "member": [True] * 5 + [False],
        }
    )  # fmt: skip
    held_out = pd.DataFrame({"image_id": [8, 9], "caption": ["x", "y"]})
    found = choose_captions(rows, held_out, 2, 1)
    assert found.caption.tolist() == ["a", "b", "c", "x"]
    assert found.planted.tolist() == [True, False, False, False]
    assert found.member.tolist() == [True, True, True, False]


@pytest.mark.slow
def test_dcs_is_the_mean_of_the_stages_scores_over_seeds(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    found = score_dcs(denoiser, CAPTIONS, [0, 3], 7.5, 2)
    for caption, score in zip(CAPTIONS, found, strict=True):
        parts = score_captions(denoiser, [caption], [0, 3], 7.5, 1)
        assert score == pytest.approx(
            np.mean([one.scores["dcs_reference"] for one in parts]), rel=1e-4
        )


@pytest.mark.slow
def test_a_caption_that_overflows_has_no_score_and_two_of_three_are_a_broken_network(tiny_sd):
    denoiser = overflow_at(load_denoiser(tiny_sd, "sd", "cpu"), CAPTIONS[1])
    for found in (
        score_dcs(denoiser, CAPTIONS, [0, 3], 7.5, 2),
        score_ecs(denoiser, CAPTIONS, [0, 1], WORLD, 2),
    ):
        assert np.isnan(found).tolist() == [False, True, False]
    overflow_at(denoiser, CAPTIONS[0])
    for attack in (
        lambda: score_dcs(denoiser, CAPTIONS, [0, 3], 7.5, 2),
        lambda: score_ecs(denoiser, CAPTIONS, [0, 1], WORLD, 2),
    ):
        with pytest.raises(NetworkError, match="2 of 3 captions"):
            attack()


def test_ecs_is_the_stages_score_of_the_one_step_images(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    found = score_ecs(denoiser, CAPTIONS, [0, 1, 2], WORLD, 2)
    preset = EdgePreset(**WORLD)
    for caption, score in zip(CAPTIONS, found, strict=True):
        images = [p for _, _, p in generate_one_step(denoiser, [caption], [0, 1, 2], 1.0, 1)]
        edges = edge_maps(resize_images(images, 16), preset)
        assert score == pytest.approx(edge_consistency(edges, 0.5), abs=0.02)


def test_near_copies_are_a_clique_and_unlike_images_none():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 200, (1, 16, 16, 3), dtype=np.uint8)
    near = np.concatenate([one, one + 2, one + 4])
    far = rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    size, distance = score_clique(np.concatenate([near, far]), CLIQUE)
    assert size == 3
    assert distance == pytest.approx((2 + 2 + 4) / 3 / 255, rel=1e-4)
    assert score_clique(far, CLIQUE)[0] == 1
    assert np.isnan(score_clique(far, CLIQUE)[1])


def test_a_image_is_scored_by_all_that_was_made_of_it_and_only_where_there_are_further_ones(
    tmp_path,
):
    rng = np.random.default_rng(0)
    one = rng.integers(0, 200, (16, 16, 3), dtype=np.uint8)
    members = [one, one + 1, one, rng.integers(0, 256, one.shape, dtype=np.uint8)]
    write_archive(tmp_path / "p.zip", ((f"{i}.png", image) for i, image in enumerate(members)))
    generations = pd.DataFrame(
        {"generation": range(4), "image_id": [7, 7, 9, 7], "kind": ["one", "more", "one", "more"]}
    )
    with ImageArchive(tmp_path / "p.zip") as archive:
        found = score_cliques(generations, archive, CLIQUE)
    assert found.image_id.tolist() == [7]
    assert found.clique_size.tolist() == [2]


def test_a_run_without_images_has_no_cliques(tmp_path):
    write_archive(tmp_path / "p.zip", [])
    none = pd.DataFrame({"generation": [], "image_id": [], "kind": []})
    with ImageArchive(tmp_path / "p.zip") as archive:
        assert len(score_cliques(none, archive, CLIQUE)) == 0
