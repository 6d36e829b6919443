"""Rule search_copies, with the descriptor that needs no network: a generation finds the training image that it shows."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import generation_name, row_name, write_archive
from verbatim.io.records import read_table, write_table

RNG = np.random.default_rng(0)
TRAINING = {row: RNG.random((8, 8, 3)).astype(np.float32) for row in (4, 10, 12)}
GENERATED = {(0, 0): TRAINING[10], (0, 1): 0.5 * TRAINING[4] + 0.2, (1, 0): RNG.random((8, 8, 3))}


@pytest.fixture
def labelled(tmp_path):
    ids = pd.DataFrame(
        {"prompt_id": [0, 1], "caption": ["a", "b"], "row": [-1, 12], "extra": False, "why": "dcs"}
    )
    write_table(tmp_path / "selection.parquet", "selection", ids)
    images = [(generation_name(*key), image) for key, image in GENERATED.items()]
    write_archive(tmp_path / "images.zip", images)
    # row 11 is row 10's file again
    members = {**TRAINING, 11: TRAINING[10]}
    write_archive(tmp_path / "training.zip", [(row_name(row), i) for row, i in members.items()])
    fetched = pd.DataFrame(
        {"row": list(members), "caption": "c", "member": [row_name(row) for row in members],
         "status": "ok", "reason": ""}
    )  # fmt: skip
    write_table(tmp_path / "fetched.parquet", "fetched", fetched)
    return tmp_path


def run(folder, run_script, **params):
    names = ("selection.parquet", "images.zip", "training.zip", "fetched.parquet")
    run_script(
        "labels/search_copies.py",
        input={name.partition(".")[0]: folder / name for name in names} | {"descriptor": []},
        output={"neighbours": folder / "out" / "copy_neighbours.parquet"},
        params={
            "seeds": [0, 1], "batch": 2, "neighbours": 2, "spec": {"kind": "pixels", "preset": "own"}
        } | params,
    )  # fmt: skip
    return read_table(folder / "out" / "copy_neighbours.parquet", "copy_neighbours")


def test_every_generation_has_the_most_similar_of_the_different_training_images(
    labelled, run_script
):
    table = run(labelled, run_script)
    first = table[table["order"].eq(0)].set_index(["prompt_id", "seed"])
    assert first["row"].to_dict()[0, 0] == 10
    assert first["row"].to_dict()[0, 1] == 4
    np.testing.assert_allclose(first["similarity"][[(0, 0), (0, 1)]], 1, atol=0.01)
    assert first["similarity"][1, 0] < 0.5
    assert 11 not in set(table["row"])
    # prompt 1 has one of its two images
    assert len(table) == 6
    assert "1_1.png is not described" in (labelled / "job.log").read_text()


def test_a_closed_systems_prompts_have_the_seeds_that_they_have(labelled, run_script):
    table = run(labelled, run_script, seeds=None)
    assert set(zip(table["prompt_id"], table["seed"], strict=True)) == set(GENERATED)
    assert "not described" not in (labelled / "job.log").read_text()
