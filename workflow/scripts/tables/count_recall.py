"""Found of planted, for every model."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.recall import count_recall
from verbatim.tables.text import csv_text, name_preset


def main(smk: Any) -> None:
    with script(smk):
        truth = read_table(smk.input.truth, "truth")
        parts = []
        for model, path in zip(smk.params.models, smk.input.labels, strict=True):
            labels = read_table(path, "labels")
            part = count_recall(labels, truth, smk.params.confidence)
            part.insert(0, "model", model)
            part["preset"] = name_preset(labels)
            parts.append(part)
        write_text(smk.output.table, csv_text(pd.concat(parts)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
