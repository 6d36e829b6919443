"""Count published prompt sets, and how far their captions alone tell positives from negatives."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import progress, script, write_text
from verbatim.tables.set_counts import count_overlaps, count_sets, list_families, list_matches
from verbatim.tables.set_detectors import BASELINE, list_comparisons, score_baselines
from verbatim.tables.sets_page import render_captions
from verbatim.tables.statistics import EvaluationSettings
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        settings = EvaluationSettings(
            p.fpr, tuple(p.fpr_strict), p.resamples, p.folds, p.confidence, p.seed
        )
        sets = read_table(smk.input.sets, "prompt_sets")
        comparisons = list(list_comparisons(sets, p.family))
        compared = [one for one in comparisons if one.compares]
        scored = [score_baselines(one, settings) for one in progress(compared, "comparisons")]
        baselines = pd.concat([pd.DataFrame(columns=list(BASELINE)), *scored], ignore_index=True)
        tables = {
            "sets": count_sets(sets, comparisons, baselines),
            "baselines": baselines,
            "overlaps": count_overlaps(sets, p.family),
            "families": list_families(comparisons),
            "matches": list_matches(sets),
        }
        for name, table in tables.items():
            write_text(smk.output.get(name), csv_text(table))
        template, style = (Path(path).read_text("utf-8") for path in smk.input.template)
        write_text(smk.output.page, render_captions(template, style, tables))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
