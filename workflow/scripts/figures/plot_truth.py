"""Labels and scores against the truth, and what prompts that nobody picked draw."""

from typing import Any

import pandas as pd

from verbatim.figures.confusion_plot import plot_confusion
from verbatim.figures.histogram import plot_histogram
from verbatim.figures.recall_plot import plot_recall
from verbatim.figures.roc_plot import choose_scores, plot_detector_recall, plot_roc
from verbatim.figures.style import empty_figure, save_figure
from verbatim.figures.unpicked import KINDS, Drawn, choose_prompts, plot_unpicked
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, generation_name
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.io.seals import read_array
from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script


def read_drawn(
    chosen: Any, image_of: pd.Series, read: dict[str, Any], column: str, p: Any
) -> dict[str, list[Drawn]]:
    """One model's chosen prompts with their images, as they may be shown."""
    drawn: dict[str, list[Drawn]] = {kind: [] for kind in KINDS}
    for row in chosen.itertuples():
        key = row.prompt_id
        own = None if row.kind == "repeated" else read["own"](image_of[row.caption])
        shown = [own, read["one_step"](generation_name(key, p.one_step_seed))]
        shown += [read["full"](generation_name(key, seed)) for seed in p.seeds]
        own, quick, *full = (read["privacy"].image(key, one) for one in shown)
        one = Drawn(row.caption, row.verdict, getattr(row, column), own, quick, full)
        drawn[row.kind].append(one)
    return drawn


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
    models = {}
    for i, (model, name) in enumerate(p.attacked.items()):
        chosen = choose_prompts(prompts[prompts["model"] == model], p.examples)
        images, quick = ImageArchive(smk.input.images[i]), Images(smk.input.one_step[i])
        read = {
            "own": lambda image: world_images[image] / 255.0, "full": images.read, "privacy": privacy,
            "one_step": lambda one, quick=quick: quick.read(one) if one in quick else None,
        }  # fmt: skip
        models[name] = read_drawn(chosen, truth["image_id"], read, column, p)
    scores = choose_scores(p.whitebox, p.blackbox)
    return {
        "roc": plot_roc(roc, kinds, p.attacked, scores),
        "detector_recall": plot_detector_recall(kinds, recall, p.attacked, scores, p.fpr),
        "histogram": plot_histogram(prompts, evaluation, column, p.attacked),
        "unpicked": plot_unpicked(models, p.seeds),
    }


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        recall, confusion = (read_csv(smk.input.get(k)) for k in ("recall", "confusion"))
        figures = {"recall": plot_recall(recall, p.names)}
        figures["confusion"] = plot_confusion(confusion, p.names)
        if p.attacked:
            figures |= plot_scores(smk, f"dcs_{p.whitebox}", recall)
        for name in ("recall", "confusion", "roc", "detector_recall", "histogram", "unpicked"):
            figure = figures.get(name) or empty_figure("no model of this run was attacked")
            save_figure(figure, smk.output.get(name), p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
