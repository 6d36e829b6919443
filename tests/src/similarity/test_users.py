import numpy as np
import pandas as pd
import pytest
from made_claims import made_grid, made_measures, made_states, row

from verbatim.claims.claims import evaluate
from verbatim.claims.papers import CLAIMS
from verbatim.io.measures import Measures
from verbatim.similarity import users

RNG = np.random.default_rng(0)


def test_what_a_prompt_says_of_its_match_is_text_feature_dot_times_shared_words():
    text = {"a dog": np.array([1.0, 0.0]), "dog face": np.array([0.6, 0.8])}
    found = users.describes(pd.Series(["a dog", "a dog"]), pd.Series(["dog face", "a dog"]), text)
    np.testing.assert_allclose(found, [0.6 / 3, 1.0])


def test_a_match_is_the_nearest_training_image_and_is_described_by_its_caption():
    training = np.eye(3, dtype=np.float32)
    rows = pd.DataFrame({"image_id": [4, 6, 8], "caption": ["dog", "cat", "sun"]})
    drawn = pd.DataFrame({"prompt": ["dog", "sun"], "generation": [0, 1]})
    made = np.array([[0.8, 0.6, 0], [0, 1, 0]], np.float32)
    images = RNG.integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    vector = {"dog": [1.0, 0], "cat": [0, 1.0], "sun": [1.0, 0]}
    found = users.match_users(
        drawn, images[:2], made, users.TrainingImages(rows, training, images),
        lambda texts: np.array([vector[text] for text in texts]), 0.5,
    )  # fmt: skip
    assert found["match"].tolist() == [4, 6]
    assert found["caption"].tolist() == ["dog", "cat"]
    assert found["similarity"].tolist() == pytest.approx([0.8, 1])
    assert found["rmse"].tolist() == pytest.approx([0, 0])
    assert found["describes"].tolist() == [True, False]


def test_shares_above_are_counted_for_prompts_that_describe_their_match_and_those_that_do_not():
    table = pd.DataFrame(
        {
            "similarity": [0.9, 0.8, 0.2, 0.6], "describes": [True, False, True, False],
            "match": [1, 1, 2, 2],
        }
    )  # fmt: skip
    out = Measures("full10", 0, "none")
    users.add_users(out, table, {1: 10.0, 2: 1.0}, np.array([0.75, 0.6, 0.1, 0.2]), 0.7, 0.95)
    value = out.table.set_index("measure")["value"]
    assert value["users_above"] == 0.5
    assert value["users_above:0.5"] == 0.75
    assert value["users_above:described"] == 0.5
    assert value["users_above:not_described"] == 0.5
    assert value["users_described:above"] == 0.5
    assert value["users_above:duplicated"] == 1
    assert value["users_above:held_out"] == 0.25
    assert value["users_above:over_held_out"] == 0.25
    assert value["users_duplicated:above"] == 1
    assert value["users_duplicated"] == 0.5
    assert (
        (out.table["low"] <= out.table["value"]) & (out.table["value"] <= out.table["high"])
    ).all()


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.05, 0.3, "yes"), (-0.3, -0.05, "no"), (-0.1, 0.3, "undecided")]
)
def test_users_prompts_are_judged_by_their_own_interval_as_they_have_one_model(low, high, verdict):
    claim = next(claim for claim in CLAIMS if claim.name == "users_above")
    there = row("users", 0, "none", claim.measure, (low + high) / 2, low, high)
    measures = pd.concat([made_measures(), pd.DataFrame([there])])
    line = evaluate(claim, measures, made_states(), made_grid(), 0.95)
    assert (line["verdict"], line["compared"]) == (verdict, "users")
    assert line["low"] == pytest.approx(low)
    assert (
        evaluate(claim, made_measures(), made_states(), made_grid(), 0.95)["verdict"] == "not run"
    )
