"""Precision at every depth of every ranking, for every attacked model."""

import pandas as pd

from verbatim.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.precision import count_precision, rank_prompts
from verbatim.tables.text import csv_text


def main(smk):
    with script(smk):
        prompts = read_table(smk.input.prompts, "prompts")
        parts = []
        for i, model in enumerate(smk.params.models):
            rankings = rank_prompts(
                read_table(smk.input.whitebox[i], "whitebox"),
                read_table(smk.input.blackbox[i], "blackbox"),
                read_table(smk.input.postfilter[i], "postfilter"),
                prompts,
            )
            labels = read_table(smk.input.labels[i], "labels")
            for detector, ranking in rankings.items():
                part = count_precision(ranking, labels, smk.params.confidence)
                parts.append(part.assign(model=model, detector=detector))
        columns = ["model", "detector", "k", "found", "precision", "low", "high"]
        table = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
