"""Labels and scores against the truth, and generations of prompts that nobody picked."""

from typing import Any

import pandas as pd

from verbatim.figures.confusion_plot import plot_confusion
from verbatim.figures.histogram import plot_histogram
from verbatim.figures.recall_plot import plot_recall
from verbatim.figures.roc_plot import choose_scores, plot_detector_recall, plot_roc
from verbatim.figures.strip import choose_columns, column_titles, plot_strip
from verbatim.figures.style import empty_figure, save_figure
from verbatim.figures.unpicked import Reader, choose_prompts, plot_unpicked
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.io.seals import read_array
from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script


def plot_scores(smk: Any, column: str, recall: pd.DataFrame) -> dict[str, Any]:
    """Figures of the attacked models' scores."""
    p = smk.params
    privacy = read_privacy(p.shown, p.only, smk.input.known_prompts)
    truth = read_table(smk.input.truth, "truth").drop_duplicates("caption").set_index("caption")
    world_images = read_array(smk.input.world_images)
    prompts = read_csv(smk.input.prompts, keep_default_na=False, na_values=[""])
    # full duplicates are shown beside their own negatives
    prompts = prompts[prompts["kind"].ne("held_out") | prompts["match_kind"].eq("full")]
    evaluation, kinds, roc = (read_csv(smk.input.get(k)) for k in ("evaluation", "kinds", "roc"))
    models, strip = {}, None
    for i, (model, name) in enumerate(p.attacked.items()):
        own = prompts[prompts["model"] == model]
        images, quick = ImageArchive(smk.input.images[i]), Images(smk.input.one_step[i])
        reader = Reader(
            privacy, lambda caption: world_images[truth["image_id"][caption]] / 255.0,
            quick, p.one_step_seed, images, p.seeds,
        )  # fmt: skip
        models[name] = reader.read(choose_prompts(own, p.examples), column)
        if strip is None:
            columns = choose_columns(own)
            shown = [one for of_kind in reader.read(columns, column).values() for one in of_kind]
            strip = plot_strip(shown, column_titles(columns), name)
    scores = choose_scores(p.whitebox, p.blackbox)
    return {
        "roc": plot_roc(roc, kinds, p.attacked, scores),
        "detector_recall": plot_detector_recall(kinds, recall, p.attacked, scores, p.fpr),
        "histogram": plot_histogram(prompts, evaluation, column, p.attacked),
        "unpicked": plot_unpicked(models, p.seeds), "copies": strip,
    }  # fmt: skip


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        recall, confusion = (read_csv(smk.input.get(k)) for k in ("recall", "confusion"))
        figures = {"recall": plot_recall(recall, p.names)}
        figures["confusion"] = plot_confusion(confusion, p.names)
        if p.attacked:
            figures |= plot_scores(smk, f"dcs_{p.whitebox}", recall)
        for name in p.figures:
            figure = figures.get(name) or empty_figure("no model of this run was attacked")
            save_figure(figure, smk.output.get(name), p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
