"""Find the training images that are nearest to every candidate's generations by a copy descriptor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.images import ImageArchive, generation_name, seeds_of, seeds_of_prompts
from verbatim.io.records import read_table, write_table
from verbatim.io.search import use_threads
from verbatim.labels.copy_search import describe_named, list_originals, nearest_images
from verbatim.models.descriptor_specs import make_spec
from verbatim.models.descriptors import load_descriptor
from verbatim.runtime import device, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        ids = read_table(smk.input.selection, "selection", ["prompt_id"])["prompt_id"].tolist()
        fetched = read_table(smk.input.fetched, "fetched")
        file = Path(smk.input.descriptor[0]) if smk.input.descriptor else Path()
        source = str(file if p.spec["kind"] == "torchscript" else file.parent)
        detector = load_descriptor(
            make_spec(source if smk.input.descriptor else "", p.spec), device()
        )

        def describe(images: Sequence[np.ndarray]) -> np.ndarray:
            return detector.describe(images, p.batch).whole

        with ImageArchive(smk.input.training) as archive:
            originals = list_originals(fetched, archive.read_bytes)
            rows, training = describe_named(originals.items(), archive.read, describe, p.batch)
        with ImageArchive(smk.input.images) as archive:
            seeds = p.seeds or seeds_of_prompts(archive.names())  # whatever a closed system gave
            wanted = [(key, seed) for key in ids for seed in seeds_of(seeds, key)]
            named = [(key, generation_name(*key)) for key in wanted]
            queries, vectors = describe_named(named, archive.read, describe, p.batch)
        table = nearest_images(queries, vectors, rows, training, p.neighbours)
        write_table(smk.output.neighbours, "copy_neighbours", table)
        log.info("%d generations, %d training images", len(queries), len(rows))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
