"""Evaluate every score as a detector of planted copies, for every attacked model."""

import pandas as pd

from verbatim.records import read_table
from verbatim.runtime import progress, script, write_text
from verbatim.tables.detectors import describe_prompts, join_scores, score_detectors
from verbatim.tables.text import csv_text


def main(smk):
    with script(smk):
        p = smk.params
        truth = read_table(smk.input.truth, "truth")
        prompts = read_table(smk.input.prompts, "prompts")
        results, details = [], []
        for i, model in enumerate(progress(p.models, "models")):
            labels = read_table(smk.input.labels[i], "labels")
            known = describe_prompts(prompts, labels, truth)
            scores = join_scores(
                read_table(smk.input.whitebox[i], "whitebox"),
                read_table(smk.input.blackbox[i], "blackbox"),
                read_table(smk.input.postfilter[i], "postfilter"),
            )
            result = score_detectors(
                known, scores, p.fpr, p.resamples, p.folds, p.confidence, p.seed
            )
            detail = known.merge(scores.reset_index(), on="prompt_id", how="left")
            for table, tables in ((result, results), (detail, details)):
                table.insert(0, "model", model)
                tables.append(table)
        write_text(smk.output.table, csv_text(pd.concat(results)))
        write_text(smk.output.prompts, csv_text(pd.concat(details)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
