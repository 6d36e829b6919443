"""Precision at every depth of every ranking, for every attacked model."""

from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.records import find_rows, read_table
from verbatim.runtime import script, write_text
from verbatim.tables.precision import count_precision, rank_prompts
from verbatim.tables.text import csv_text, name_preset

STAGES = ("whitebox", "blackbox", "postfilter")
STAGES_OF = {"DCS": STAGES[:1], "ECS": STAGES[1:2], "ECS+Carlini": STAGES[1:]}


def main(smk: Any) -> None:
    with script(smk):
        prompts = read_table(smk.input.prompts, "prompts")
        tables = [read_table(path, "labels") for path in smk.input.labels]
        sources = np.array([row for table in tables for row in table["source_row"]], int)
        clusters = find_rows(smk.input.clusters, "clusters", sources)
        parts = []
        for i, model in enumerate(smk.params.models):
            scores = {stage: read_table(smk.input.get(stage)[i], stage) for stage in STAGES}
            rankings = rank_prompts(**scores, prompts=prompts)
            presets = {stage: name_preset(scores[stage]) for stage in STAGES}
            labels = tables[i]
            for detector, ranking in rankings.items():
                part = count_precision(ranking, labels, clusters, smk.params.confidence)
                preset = "+".join(presets[stage] for stage in STAGES_OF[detector])
                parts.append(part.assign(model=model, detector=detector, preset=preset,
                                         label_preset=name_preset(labels)))  # fmt: skip
        columns = ["model", "detector", "k", "found", "precision", "low", "high", "found_unique",
                   "preset", "label_preset"]  # fmt: skip
        table = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
