"""Count what the guard lets out, disturbs and costs, by each of its parts."""

from typing import Any

import numpy as np

from verbatim.guard.alarms import CALIBRATION
from verbatim.guard.outcomes import (
    SECOND,
    Counting,
    count_outcomes,
    group_prompts,
    judge_threshold,
    list_outcomes,
)
from verbatim.guard.outputs import NONE
from verbatim.io.records import find_rows, read_table, write_table
from verbatim.io.spreadsheets import csv_text
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        alarms = read_table(smk.input.alarms, "guard_alarms")
        checks = read_table(smk.input.checks, "guard_checks")
        sources = checks["source_row"].unique()
        found = find_rows(smk.input.clusters, "clusters", sources)
        clusters = dict(zip(found["row"].tolist(), found["cluster"].tolist(), strict=True))
        groups = group_prompts(alarms, checks, clusters)
        bare = checks[checks["defence"] == NONE].join(groups, on="prompt_id")
        settings = Counting(p.confidence, p.resamples, p.bootstrap_seed, p.judge)
        residuals = bare.loc[bare["group"] == CALIBRATION, "residual"].to_numpy(float)
        threshold = judge_threshold(residuals, settings.judge)
        outcomes = list_outcomes(alarms, checks, groups, threshold)
        rows: dict[str, float] = {}
        for name, path in zip(p.defences, smk.input.costs, strict=True):
            cost = read_table(path, "costs").query("stage == 'guard'").iloc[0]
            n = max(1, int(cost["prompts"]))
            rows[name] = float(cost["unet_rows"]) / n - p.rows_a_generation * len(p.seeds)
        table = count_outcomes(outcomes, rows, settings)
        if not np.isfinite(
            threshold
        ):  # it called nothing a copy because it could not be calibrated
            table = table[table["measure"] != SECOND]
            log.warning(
                "no second judge: %d generations are too few for guard.judge %g",
                len(residuals),
                p.judge,
            )
        table.insert(0, "model", smk.wildcards.model)
        write_table(smk.output.outcomes, "guard_outcomes", outcomes)
        write_text(
            smk.output.table, csv_text(table.assign(score=p.score, false_alarms=p.false_alarms))
        )
        log.info(
            "second judge: a residual of at most %.4g; rows before generation: %s", threshold, rows
        )
        told = table[table["measure"].str.startswith("copies") & np.isfinite(table["value"])]
        log.info(
            "\n%s",
            told[
                ["policy", "defence", "prompts", "measure", "value", "low", "high", "n"]
            ].to_string(),
        )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
