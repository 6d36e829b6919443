"""Find the nearest training rows of every candidate's generations by CLIP."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.images import (
    ImageArchive,
    ImageError,
    generation_name,
    resize,
    seeds_of,
    seeds_of_prompts,
)
from verbatim.io.records import read_table, write_table
from verbatim.io.search import open_index, search_rows, use_threads
from verbatim.labels.neighbours import neighbour_table
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        selection = read_table(smk.input.selection, "selection", ["prompt_id"])
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        queries, features = [], [np.zeros((0, clip.dim), np.float32)]
        with ImageArchive(smk.input.images) as archive:
            seeds = p.seeds or seeds_of_prompts(archive.names())  # whatever a closed system gave
            ids = selection["prompt_id"].tolist()
            wanted = [(key, seed) for key in ids for seed in seeds_of(seeds, key)]
            for start in progress(range(0, len(wanted), p.batch), "batches of images"):
                batch = []
                for key in wanted[start : start + p.batch]:
                    try:
                        batch.append(
                            resize(archive.read(generation_name(*key)), clip.size, clip.size)
                        )
                        queries.append(key)
                    except (KeyError, ImageError) as err:
                        log.warning(
                            "generation %s has no neighbours: %s", generation_name(*key), err
                        )
                if batch:
                    features.append(clip.embed_images(np.stack(batch), p.batch))
        index = open_index(smk.input.index)
        similarities, rows = search_rows(index, np.concatenate(features), p.neighbours)
        table = neighbour_table(queries, rows, similarities)
        write_table(smk.output.neighbours, "neighbours", table)
        log.info("%d neighbours of %d images", len(table), len(queries))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
