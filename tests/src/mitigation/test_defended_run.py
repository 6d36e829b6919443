"""A run of one model behind one defence: what is generated, numbered and paid for."""

import numpy as np
import pandas as pd
import pytest
from made_sweep import INFERENCE

from verbatim.detectors.definitions import DetectorSettings
from verbatim.metrics.edges import EdgePreset
from verbatim.mitigation.defended_run import DefendedRun, RunSettings
from verbatim.mitigation.first_scores import ScoreSettings
from verbatim.mitigation.protections import Constants, Protection
from verbatim.models.load import load_denoiser
from verbatim.models.row_counter import RowCounter
from verbatim.models.sampling import Sampling

HOW = Sampling(steps=2, guidance=3.0, sampler="euler")
DETECTORS = DetectorSettings((), (0, 1), 5, 7.5, 8, 4, {"epsilon": [1.0, 2.0]})
SCORING = ScoreSettings(7.5, EdgePreset(32, "nd", 3.0, 0.5, 3.0), DETECTORS)
PROMPTS = pd.DataFrame(
    {"prompt_id": [5, 6, 7], "caption": ["red heart", "open book", "man cook"],
     "group": ["memorized", "memorized", "never"]}
)  # fmt: skip
NOISE = {"steps": 3, "rate": 0.05, "target": 0.0}


@pytest.fixture
def start(tiny_sd):
    def run(name, batch=8):
        denoiser = load_denoiser(tiny_sd, "sd", "cpu")
        counter = RowCounter().watch(denoiser)
        constants = Constants(inference=INFERENCE, noise=NOISE)
        protection = Protection(denoiser, name, constants)
        return DefendedRun(protection, RunSettings(HOW, (0, 1), batch), counter)

    return run


@pytest.mark.slow
def test_every_prompt_is_generated_with_every_seed_and_numbered_in_the_order_of_the_archive(start):
    run = start("none")
    members = dict(run.of_prompts(PROMPTS, SCORING))
    assert list(members) == [f"{i}.png" for i in range(6)]
    table = pd.DataFrame(run.generations)
    assert table["generation"].tolist() == list(range(6))
    assert sorted(zip(table["prompt_id"], table["seed"], strict=True)) == [
        (i, s) for i in (5, 6, 7) for s in (0, 1)
    ]
    assert set(table["attack"]) == {"prompt"}
    assert all(image.dtype == np.uint8 for image in members.values())
    scores = pd.DataFrame(run.scores)
    assert set(scores["prompt_id"]) == {5, 6, 7}
    assert scores.groupby("score").size()["dcs_paper"] == 6


@pytest.mark.slow
def test_images_do_not_depend_on_how_many_run_together(start):
    many, one = (dict(start("none", batch).of_prompts(PROMPTS, SCORING)) for batch in (8, 1))
    ours = {i: image for i, image in zip((5, 6, 7), list(one.values())[::2], strict=True)}
    order = [5, 6, 5, 6, 7, 7]
    for place, (key, image) in enumerate(zip(order, many.values(), strict=True)):
        if place not in (2, 3, 5):  # seed 0
            assert np.abs(ours[key].astype(int) - image).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "gradients"), [("none", 4, 0), ("noise", 4 + 4 * 2, 4 * 2)]
)
def test_rows_are_those_of_generation_and_of_the_defence_and_not_of_scores(
    start, name, rows, gradients
):
    """Two guided steps are four rows; three steps on the noise ask for the change four times, both halves."""
    run = start(name)
    list(run.of_prompts(PROMPTS, SCORING))
    spent = pd.DataFrame(run.spent).groupby("group").sum()
    assert spent.loc["memorized", "generations"] == 4
    assert (spent["unet_rows"] / spent["generations"]).tolist() == [rows, rows]
    assert (spent["with_gradient"] / spent["generations"]).tolist() == [gradients, gradients]


def test_embeddings_and_other_seeds_are_generated_under_their_own_names(start):
    run = start("none")
    states = run.protection.denoiser.encode(["red heart", "open book"]).states
    embeddings = pd.DataFrame({"prompt_id": [5, 6], "start": ["embedding", "random"]})
    list(run.of_embeddings(embeddings, states))
    list(run.of_other_seeds(PROMPTS, [9]))
    table = pd.DataFrame(run.generations)
    told = table.groupby("attack")["prompt_id"].apply(list).to_dict()
    assert told == {"embedding": [5, 5], "random": [6, 6], "other seeds": [5, 6, 7]}
    assert table.loc[table["attack"].eq("other seeds"), "seed"].tolist() == [9, 9, 9]
    assert table.loc[table["attack"].eq("embedding"), "prompt"].tolist() == ["", ""]


def test_an_image_that_is_not_finite_is_recorded_and_the_others_go_on(start):
    run = start("none")
    states = run.protection.denoiser.encode(["red heart", "open book"]).states.clone()
    states[0] = float("nan")
    embeddings = pd.DataFrame({"prompt_id": [5, 6], "start": ["embedding"] * 2})
    members = dict(run.of_embeddings(embeddings, states))
    assert [entry["status"] for entry in run.generations] == ["failed", "ok", "failed", "ok"]
    assert "not finite" in members["0.png"]
    assert run.generations[0]["reason"] == members["0.png"]
