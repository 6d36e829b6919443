import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_claims import made_grid, made_measures, made_states, row

from verbatim.study import users
from verbatim.study.claims import evaluate
from verbatim.study.measures import Measures
from verbatim.study.papers import CLAIMS

RNG = np.random.default_rng(0)


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_prompts_are_taken_once_each_with_the_seed_that_the_file_has(tmp_path):
    file = write(
        tmp_path / "metadata.parquet", prompt=["a dog", None, "a dog", " ", "cat", "sun"],
        seed=pa.array([7, 1, 8, 2, 2**32 - 1, 3], pa.uint32()), cfg=[7.0] * 6,
    )  # fmt: skip
    found = users.read_prompts(file, 100, 0)
    assert found["prompt"].tolist() == ["a dog", "cat", "sun"]
    assert found["seed"].tolist() == [7, 2**32 - 1, 3]
    assert len(users.read_prompts(file, 2, 0)) == 2
    assert users.read_prompts(file, 2, 0).equals(users.read_prompts(file, 2, 0))


def test_a_file_with_prompts_alone_is_enough(tmp_path):
    found = users.read_prompts(write(tmp_path / "p.parquet", prompt=["a", "b"]), 5, 0)
    assert found.to_dict("list") == {"prompt": ["a", "b"], "seed": [0, 1]}


def test_a_file_that_is_no_list_of_prompts_is_named(tmp_path):
    cases = {
        tmp_path / "none.parquet": "no such file",
        write(tmp_path / "a.parquet", text=["a"]): "no column prompt; it has text",
    }
    for path, words in cases.items():
        with pytest.raises(users.UsersError, match=words):
            users.check_prompts(path)
    with pytest.raises(users.UsersError, match="no prompt that is not empty"):
        users.read_prompts(write(tmp_path / "c.parquet", prompt=["", " "]), 5, 0)


def pool() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": range(40),
            "caption": [f"thing{i} of wood" for i in range(40)],
            "held_out": [i >= 30 for i in range(40)],
        }
    )


def test_the_worlds_prompts_are_names_of_images_inside_and_outside_in_diffusiondbs_layout(
    tmp_path,
):
    found = users.make_prompts(pool(), set(range(20)), 16, 0)
    table = pa.Table.from_pandas(found, users.LAYOUT, preserve_index=False)
    pq.write_table(table, tmp_path / "metadata.parquet")
    prompts = users.read_prompts(tmp_path / "metadata.parquet", 100, 0)["prompt"]
    named = prompts.str.extract(r"thing(\d+)")[0].dropna().astype(int)
    assert named.between(0, 19).any()
    assert (named >= 30).any()
    assert not named.between(20, 29).any()  # of the pool, but neither trained on nor held out
    whole = prompts.isin(pool()["caption"])
    assert 0 < whole.sum() < len(prompts)


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
        drawn, images[:2], made, rows, training, images,
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
