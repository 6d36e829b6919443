"""Check every generation with and without a defence against the training images near it; ask the second judge, and CLIP."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.relatives import choose_relatives
from verbatim.evidence.matching import Search
from verbatim.evidence.placements import SearchSettings
from verbatim.guard.outputs import Outputs, check_outputs, clip_scores, least_residuals
from verbatim.io.records import find_rows, read_table, write_table
from verbatim.io.search import open_index, search_rows, use_threads
from verbatim.io.training_images import TrainingImages
from verbatim.labels.checking import (
    Checker,
    embed_generations,
    find_training_rows,
    read_settings,
    read_wanted,
    squares_of,
)
from verbatim.labels.fetched_images import related_rows
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log, TrainingImages() as archives:
        p = smk.params
        use_threads(smk.threads)
        alarms = read_table(smk.input.alarms, "guard_alarms")
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id", "caption", "row"])
        made = dict(zip(p.defences, smk.input.guarded, strict=True))
        with Outputs(smk.input.images, made, alarms, prompts) as outputs:
            clip = ClipEmbedder(Path(smk.input.clip).parent, device())
            watched = progress(outputs.images(), "images to embed", len(outputs.table))
            vectors = embed_generations(clip.embed_images, watched, clip.size, p.batch)
            _, near = search_rows(open_index(smk.input.index), vectors, p.neighbours)
            own = prompts["row"].to_numpy()
            found = np.concatenate([near[near >= 0], own[own >= 0]])
            relatives = choose_relatives(
                found, (read_table(path, "pairs") for path in smk.input.pairs),
                partial(find_rows, smk.input.clusters, "clusters"),
                partial(find_rows, smk.input.copies, "copies"), most=p.relatives,
            )  # fmt: skip
            rows = find_training_rows(
                smk.input.rows, {*found.tolist(), *relatives["relative"].tolist()}
            )
            training = read_wanted(rows, archives, p.size)
            check = Checker(training, related_rows(relatives), p.size, read_settings(p))
            lists = [[row for row in of if row >= 0] for of in near.tolist()]
            each = progress(outputs, "generations", len(outputs.table))
            table = pd.DataFrame(check_outputs(check, each, lists))
            search = Search(SearchSettings(size=p.search_size, **p.search))
            table["residual"] = least_residuals(
                search, squares_of(rows, archives, p.search_size), outputs.images(),
                [of[: p.judged] for of in lists], lambda items: progress(items, "training rows"),
            )  # fmt: skip
        texts = clip.embed_texts(prompts["caption"].tolist(), p.batch)
        place = pd.Index(prompts["prompt_id"]).get_indexer(table["prompt_id"])
        table["clip_score"] = clip_scores(vectors, texts, place)
        write_table(smk.output.checks, "guard_checks", table)
        log.info("%s", table.groupby("defence")["label"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
