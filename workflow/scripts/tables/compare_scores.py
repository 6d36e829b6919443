"""Compare every score by what it finds and what it costs, from the cheapest to the dearest."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script, write_text
from verbatim.tables.score_costs import compare_scores, detector_rows, stage_rows
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk):
        evaluation, depths, costs = (
            read_csv(smk.input.get(name), keep_default_na=False, na_values=[""])
            for name in ("evaluation", "depths", "costs")
        )
        tables = [read_table(path, "detector_scores") for path in smk.input.detectors]
        scores = dict(zip(smk.params.models, tables, strict=False))
        rows = pd.concat([stage_rows(costs), detector_rows(scores)])
        write_text(
            smk.output.table, csv_text(compare_scores(evaluation, depths, rows, smk.params.depths))
        )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
