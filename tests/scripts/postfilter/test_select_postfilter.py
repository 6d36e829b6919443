"""Rule select_postfilter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.records import SCHEMAS, read_table, write_table


def test_the_top_prompts_by_ecs_and_every_extra_prompt_are_selected(tmp_path, run_script):
    n = 6
    selection = pd.DataFrame(
        {
            "prompt_id": range(n), "caption": [f"c{i}" for i in range(n)], "row": range(n),
            "extra": [False, True, False, False, True, False], "why": "dcs",
        }
    )  # fmt: skip
    scores = {name: 0.0 for name in SCHEMAS["blackbox"].names} | {
        "prompt_id": np.arange(n), "rank": [5, 0, 2, 1, 4, 3], "preset": "world",
    }  # fmt: skip
    write_table(tmp_path / "selection.parquet", "selection", selection)
    write_table(tmp_path / "scores.parquet", "blackbox", pd.DataFrame(scores))
    run_script(
        "postfilter/select_postfilter.py",
        input={"selection": tmp_path / "selection.parquet", "scores": tmp_path / "scores.parquet"},
        output={"selection": tmp_path / "out.parquet"},
        params={"n_prompts": 2},
    )
    table = read_table(tmp_path / "out.parquet", "selection")
    assert table["prompt_id"].tolist() == [1, 3, 2, 4]
    assert table["why"].tolist() == ["extra", "ecs", "ecs", "extra"]
