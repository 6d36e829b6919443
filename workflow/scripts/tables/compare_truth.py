"""Labels of every model against what was planted."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.confusion import compare_truth
from verbatim.tables.text import csv_text, name_preset


def main(smk: Any) -> None:
    p = smk.params
    with script(smk):
        truth = read_table(smk.input.truth, "truth")
        parts = []
        for model, path in zip(p.models, smk.input.labels, strict=True):
            labels = read_table(path, "labels")
            part = compare_truth(labels, truth, p.resamples, p.confidence, p.seed)
            part.insert(0, "model", model)
            part["preset"] = name_preset(labels)
            parts.append(part)
        write_text(smk.output.table, csv_text(pd.concat(parts)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
