"""The review page of all candidates of all models, with its images beside it."""

from pathlib import Path
from typing import Any

from verbatim.config.decisions import read_decisions
from verbatim.evidence.gathering import PanelSettings, model_panels
from verbatim.evidence.review import PageParts, Shown, candidate_records, review_page
from verbatim.io.atomic import new_folder
from verbatim.io.images import ImageArchive, encode_png
from verbatim.io.privacy import read_privacy
from verbatim.io.records import find_urls, read_table
from verbatim.metrics.word_weights import weigh_words
from verbatim.runtime import progress, script, write_text

FILES = ("images", "training", "masks")


def read_scores(smk: Any, model: str) -> dict[str, dict[int, float]]:
    """dcs and ecs of an attacked model by prompt; nothing of another."""
    scores: dict[str, dict[int, float]] = {"dcs": {}, "ecs": {}}
    if model in smk.params.attacked:
        at = smk.params.attacked.index(model)
        for name, kind in (("dcs", "whitebox"), ("ecs", "blackbox")):
            table = read_table(smk.input.get(kind)[at], kind, ["prompt_id", name])
            scores[name] = dict(zip(table["prompt_id"].tolist(), table[name].tolist(), strict=True))
    return scores


def read_words(smk: Any, model: str) -> dict[int, list[tuple[str, float]]]:
    """What triggers each copy of an attacked model, where it was asked for; nothing of another."""
    if model not in smk.params.attacked or not smk.input.get("tokens"):
        return {}
    at = smk.params.attacked.index(model)
    return weigh_words(read_table(smk.input.tokens[at], "detector_tokens"))


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        settings = PanelSettings(p.size, p.alpha, privacy)
        folder = Path(smk.output.images)
        with new_folder(folder) as part:
            candidates: list[dict[str, Any]] = []
            for i, (model, name) in enumerate(p.names.items()):
                labels = read_table(smk.input.labels[i], "labels")
                verification = read_table(smk.input.verification[i], "verification")
                images, training, masks = (ImageArchive(smk.input.get(file)[i]) for file in FILES)
                (part / model).mkdir(parents=True)
                written = {}
                panels = model_panels(labels, verification, images, training, masks, settings)
                for prompt_id, image in progress(panels, f"{model}: candidates", len(labels)):
                    (part / model / f"{prompt_id}.png").write_bytes(encode_png(image))
                    path = f"{folder.name}/{model}/{prompt_id}.png"
                    written[prompt_id] = (path, len(image) // p.size)
                urls = find_urls(smk.input.rows, labels["source_row"])
                told = {
                    key: privacy.url(key, urls.get(row, ""))
                    for key, row in zip(labels["prompt_id"], labels["source_row"], strict=True)
                }
                shown = Shown(told, read_scores(smk, model), written, read_words(smk, model))
                candidates += candidate_records(model, name, labels, verification, shown)
            decisions = read_decisions(smk.input.get("decisions"), p.known)
            parts = PageParts(*(Path(path).read_text("utf-8") for path in smk.input.parts))
            page = review_page(parts, candidates, p.names, decisions, p.size)
        write_text(smk.output.page, page)
        log.info(
            "%d candidates, %d decisions, %.1f MB", len(candidates), len(decisions), len(page) / 1e6
        )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
