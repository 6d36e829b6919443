"""Scores against the truth: curves, reach by count, DCS histogram, and what unpicked prompts draw."""

import numpy as np
import pandas as pd

from verbatim.figures.histogram import plot_histogram
from verbatim.figures.roc import choose_scores, plot_detector_recall, plot_roc
from verbatim.figures.style import save_figure
from verbatim.figures.unpicked import KINDS, Drawn, choose_prompts, plot_unpicked
from verbatim.images import ImageArchive, synthesis_name
from verbatim.pictures import Pictures
from verbatim.records import read_table
from verbatim.runtime import script


def read_drawn(chosen, picture_of, pictures, images, one_step, column, p):
    """One model's chosen prompts with their pictures."""
    drawn = {kind: [] for kind in KINDS}
    for row in chosen.itertuples():
        quick = synthesis_name(row.prompt_id, p.one_step_seed)
        drawn[row.kind].append(
            Drawn(
                row.caption,
                row.verdict,
                getattr(row, column),
                None if row.kind == "repeated" else pictures[picture_of[row.caption]] / 255.0,
                one_step.read(quick) if quick in one_step else None,
                [images.read(synthesis_name(row.prompt_id, seed)) for seed in p.seeds],
            )
        )
    return drawn


def main(smk):
    with script(smk):
        p = smk.params
        column = f"dcs_{p.whitebox}"
        truth = read_table(smk.input.truth, "truth").drop_duplicates("caption")
        picture_of = truth.set_index("caption")["picture_id"]
        pictures = np.load(smk.input.pictures, mmap_mode="r", allow_pickle=False)
        prompts = pd.read_csv(smk.input.prompts, keep_default_na=False, na_values=[""])
        evaluation, kinds, roc, recall = (
            pd.read_csv(smk.input.get(k)) for k in ("evaluation", "kinds", "roc", "recall")
        )
        models = {}
        for i, (model, name) in enumerate(p.names.items()):
            chosen = choose_prompts(prompts[prompts["model"] == model], p.examples)
            images, quick = ImageArchive(smk.input.images[i]), Pictures(smk.input.one_step[i])
            models[name] = read_drawn(chosen, picture_of, pictures, images, quick, column, p)
        scores = choose_scores(p.whitebox, p.blackbox)
        figures = {
            "roc": plot_roc(roc, kinds, p.names, scores),
            "detector_recall": plot_detector_recall(kinds, recall, p.names, scores, p.fpr),
            "histogram": plot_histogram(prompts, evaluation, column, p.names),
            "unpicked": plot_unpicked(models, p.seeds),
        }
        for name, figure in figures.items():
            save_figure(figure, smk.output.get(name), p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
