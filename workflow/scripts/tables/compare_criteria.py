"""Labels of every model beside a copy descriptor's verdicts, and both against the truth where it is known."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.metrics.intervals import Draws
from verbatim.runtime import script, write_text
from verbatim.tables.criteria import COLUMNS, compare_criteria, judge_similarities
from verbatim.tables.text import csv_text, name_preset


def main(smk: Any) -> None:
    p = smk.params
    with script(smk):
        truth = read_table(smk.input.truth, "truth") if smk.input.truth else None
        draws = Draws(p.resamples, p.confidence, p.seed)
        parts = []
        files = zip(smk.input.labels, smk.input.neighbours, smk.input.clip, strict=True)
        for model, (labels_file, copies_file, clip_file) in zip(p.models, files, strict=True):
            labels = read_table(labels_file, "labels")
            copies = read_table(copies_file, "copy_neighbours")
            similar = judge_similarities(labels, copies, p.descriptor, p.thresholds)
            near = read_table(clip_file, "neighbours")
            similar |= judge_similarities(labels, near, "clip", p.thresholds)
            part = compare_criteria(labels, similar, truth, draws)
            parts.append(part.assign(model=model, preset=name_preset(labels)))
        write_text(smk.output.table, csv_text(pd.concat(parts)[COLUMNS]))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
