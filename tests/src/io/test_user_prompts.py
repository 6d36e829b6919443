"""Files of users' prompts: which prompts are taken, and what is refused."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verbatim.io import user_prompts


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_prompts_are_taken_once_each_with_the_seed_that_the_file_has(tmp_path):
    file = write(
        tmp_path / "metadata.parquet", prompt=["a dog", None, "a dog", " ", "cat", "sun"],
        seed=pa.array([7, 1, 8, 2, 2**32 - 1, 3], pa.uint32()), cfg=[7.0] * 6,
    )  # fmt: skip
    found = user_prompts.read_prompts(file, 100, 0)
    assert found["prompt"].tolist() == ["a dog", "cat", "sun"]
    assert found["seed"].tolist() == [7, 2**32 - 1, 3]
    assert len(user_prompts.read_prompts(file, 2, 0)) == 2
    assert user_prompts.read_prompts(file, 2, 0).equals(user_prompts.read_prompts(file, 2, 0))


def test_a_file_with_prompts_alone_is_enough(tmp_path):
    found = user_prompts.read_prompts(write(tmp_path / "p.parquet", prompt=["a", "b"]), 5, 0)
    assert found.to_dict("list") == {"prompt": ["a", "b"], "seed": [0, 1]}


def test_a_file_that_is_no_list_of_prompts_is_named(tmp_path):
    cases = {
        tmp_path / "none.parquet": "no such file",
        write(tmp_path / "a.parquet", text=["a"]): "no column prompt; it has text",
    }
    for path, words in cases.items():
        with pytest.raises(user_prompts.UsersError, match=words):
            user_prompts.check_prompts(path)
    with pytest.raises(user_prompts.UsersError, match="no prompt that is not empty"):
        user_prompts.read_prompts(write(tmp_path / "c.parquet", prompt=["", " "]), 5, 0)


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
    found = user_prompts.make_prompts(pool(), set(range(20)), 16, 0)
    table = pa.Table.from_pandas(found, user_prompts.LAYOUT, preserve_index=False)
    pq.write_table(table, tmp_path / "metadata.parquet")
    prompts = user_prompts.read_prompts(tmp_path / "metadata.parquet", 100, 0)["prompt"]
    named = prompts.str.extract(r"thing(\d+)")[0].dropna().astype(int)
    assert named.between(0, 19).any()
    assert (named >= 30).any()
    assert not named.between(20, 29).any()  # of the pool, but neither trained on nor held out
    whole = prompts.isin(pool()["caption"])
    assert 0 < whole.sum() < len(prompts)
