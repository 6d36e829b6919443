"""Words of the captions whose images were given back, by the real script on a tiny checkpoint."""

import pandas as pd
import pyarrow as pa
import pytest

from tiny_models import CAPTIONS
from verbatim.io.records import SCHEMAS, read_table, write_table

VERDICTS = ["given_back", "no_copy", "in_part", "not_tested"]


@pytest.fixture
def weigh(run_script, tmp_path):
    """Run it on an audit of four captions with these verdicts."""

    def run(folder, family, verdicts=VERDICTS):
        ids = list(range(10, 10 + len(verdicts)))
        files = {name: tmp_path / f"{name}.parquet" for name in ("prompts", "verdicts", "tokens")}
        rows = {"prompt_id": ids, "caption": CAPTIONS[: len(ids)]}
        for name, schema, known in (
            ("prompts", "selection", rows),
            ("verdicts", "audit_verdicts", {"prompt_id": ids, "verdict": verdicts, "image": ids}),
        ):
            blank = {f.name: "" if pa.types.is_string(f.type) else 0 for f in SCHEMAS[schema]}
            write_table(files[name], schema, pd.DataFrame({**blank, **known}))
        run_script(
            "audit/denoise_words.py",
            input={"model": folder / "model_index.json", **{n: files[n] for n in ("prompts", "verdicts")}},
            output={"tokens": files["tokens"]},
            params={"model": {"family": family, "source": "train"}, "seeds": [0, 1], "steps": 6, "gradient_batch": 4},
        )  # fmt: skip
        return read_table(files["tokens"], "detector_tokens")

    return run


def test_only_captions_whose_images_were_given_back_are_weighed(weigh, tiny_sd):
    table = weigh(tiny_sd, "sd")
    assert table["prompt_id"].unique().tolist() == [10, 12]
    words = table[table["prompt_id"].eq(12)]["word"].drop_duplicates().tolist()
    assert words == CAPTIONS[2].split()
    assert table["gradient"].gt(0).all()


def test_where_nothing_was_given_back_or_the_family_has_no_such_words_the_table_is_empty(
    weigh, tiny_sd, tiny_if, tmp_path
):
    assert weigh(tiny_sd, "sd", ["no_copy"] * 2).empty
    assert weigh(tiny_if, "if").empty
    assert "not for if" in (tmp_path / "job.log").read_text()
