"""Put the mitigations side by side, before and after the second attack."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.metrics.intervals import Draws
from verbatim.runtime import script, write_text
from verbatim.tables.mitigations import compare_defences, score_defences
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "mitigated")
        draws = Draws(p.resamples, p.confidence, p.seed)
        of_defences = [(model, defence) for model in p.models for defence in p.changes]
        scores, spent = [], []
        for (model, defence), scored, cost in zip(
            of_defences, smk.input.scores, smk.input.spent, strict=True
        ):
            scores.append(
                read_table(scored, "mitigation_scores").assign(model=model, defence=defence)
            )
            spent.append(read_table(cost, "mitigation_spent").assign(model=model, defence=defence))
        every, rows = pd.concat(scores), pd.concat(spent)
        tables, found = [], []
        for model, checked, quality in zip(
            p.models, smk.input.checks, smk.input.quality, strict=True
        ):
            checks = read_table(checked, "mitigation_checks")
            mine = rows[rows["model"].eq(model)]
            table = compare_defences(checks, prompts, mine, p.changes, p.threshold, draws)
            table = table.merge(read_table(quality, "mitigation_quality"), on="defence", how="left")
            tables.append(table.assign(model=model)[["model", *table.columns]])
            of_model = score_defences(every[every["model"].eq(model)], prompts, draws)
            found.append(of_model.assign(model=model)[["model", *of_model.columns]])
        result = pd.concat(tables, ignore_index=True)
        write_text(smk.output.table, csv_text(result))
        write_text(smk.output.scores, csv_text(pd.concat(found, ignore_index=True)))
        told = [name for name in result if not str(name).endswith(("_low", "_high"))]
        log.info("\n%s", result[told].round(3).to_string())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
