"""Judge every score of every attacked model on published prompt sets, beside what captions alone reach."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import progress, script, write_text
from verbatim.tables.detectors import add_detectors, join_scores, presets_of
from verbatim.tables.set_detectors import list_comparisons, score_comparison
from verbatim.tables.sets_page import render_scores
from verbatim.tables.statistics import EvaluationSettings
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        settings = EvaluationSettings(
            p.fpr, tuple(p.fpr_strict), p.resamples, p.folds, p.confidence, p.seed
        )
        sets = read_table(smk.input.sets, "prompt_sets")
        comparisons = [one for one in list_comparisons(sets, p.family) if one.compares]
        if not comparisons:
            raise ValueError(
                "config: no set of prompt_sets.sets has negatives, so no score can be compared; name files of negatives, "
                "or captions of the training data (pool)"
            )
        parts = []
        for i, model in enumerate(progress(p.models, "models")):
            stages = {stage: read_table(smk.input.get(stage)[i], stage) for stage in p.stages}
            scores = join_scores(**stages)
            if smk.input.detectors:  # none where detectors.scores is empty
                found = read_table(smk.input.detectors[i], "detector_scores")
                scores = add_detectors(scores, found)
            presets = presets_of(stages["blackbox"], stages.get("postfilter"))
            for comparison in comparisons:
                one = score_comparison(comparison, scores, settings)
                one.insert(0, "model", model)
                one["preset"] = one["detector"].map(presets).fillna("")
                parts.append(one)
        table = pd.concat(parts, ignore_index=True)
        write_text(smk.output.table, csv_text(table))
        template, style = (Path(path).read_text("utf-8") for path in smk.input.template)
        write_text(smk.output.page, render_scores(template, style, table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
