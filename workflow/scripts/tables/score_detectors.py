"""Evaluate every score as a detector of planted copies, for every attacked model."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import progress, script, write_text
from verbatim.tables.depths import count_depths
from verbatim.tables.detectors import (
    add_detectors,
    describe_prompts,
    join_scores,
    presets_of,
    score_detectors,
)
from verbatim.tables.kinds import score_kinds
from verbatim.tables.statistics import EvaluationSettings
from verbatim.tables.text import csv_text, name_preset

STAGES = ("whitebox", "blackbox", "postfilter")


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        settings = EvaluationSettings(
            p.fpr, tuple(p.fpr_strict), p.resamples, p.folds, p.confidence, p.seed
        )
        truth = read_table(smk.input.truth, "truth")
        prompts = read_table(smk.input.prompts, "prompts")
        own = set(prompts.loc[~prompts["extra"], "prompt_id"])
        tables: dict[str, list[pd.DataFrame]] = {
            name: [] for name in ("table", "prompts", "kinds", "roc", "depths")
        }
        for i, model in enumerate(progress(p.models, "models")):
            labels = read_table(smk.input.labels[i], "labels")
            stages = {stage: read_table(smk.input.get(stage)[i], stage) for stage in STAGES}
            known, own_scores = describe_prompts(prompts, labels, truth), join_scores(**stages)
            scores = own_scores
            if smk.input.detectors:  # none where detectors.scores is empty
                scores = add_detectors(
                    scores, read_table(smk.input.detectors[i], "detector_scores")
                )
            attacked = known[known["prompt_id"].isin(own)]
            kinds, roc = score_kinds(known, scores, settings)
            found = {
                "table": score_detectors(known, scores, settings), "kinds": kinds, "roc": roc,
                "depths": count_depths(attacked, scores, p.depths, settings),
                "prompts": known.merge(own_scores.reset_index(), on="prompt_id", how="left"),
            }  # fmt: skip
            presets = presets_of(stages["blackbox"], stages["postfilter"])
            for name, one in found.items():
                one.insert(0, "model", model)
                if "detector" in one:
                    one["preset"] = one["detector"].map(presets).fillna("")
                    one["label_preset"] = name_preset(labels)
                tables[name].append(one)
        for name, parts in tables.items():
            write_text(smk.output.get(name), csv_text(pd.concat(parts)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
