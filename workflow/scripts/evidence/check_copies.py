"""Look in every candidate's generations for copies that the labels may miss, with a p-value each."""

from typing import Any

import pandas as pd

from verbatim.evidence.matching import Search, pair_doubts
from verbatim.evidence.pairing import pair_images
from verbatim.evidence.placeholders import find_placeholders
from verbatim.evidence.placements import SearchSettings
from verbatim.evidence.shown_images import Squares, read_generations
from verbatim.evidence.verification import (
    NullSettings,
    PairNames,
    best_pairs,
    compare_pairs,
    describe_pairs,
    verify_pairs,
)
from verbatim.io.images import ImageArchive, seeds_of_prompts
from verbatim.io.records import find_rows, read_table, write_table
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        kinds = ("labels", "neighbours", "relatives", "fetched")
        tables = {kind: read_table(smk.input.get(kind), kind) for kind in kinds}
        rows = [table["row"] for table in tables.values()] + [tables["relatives"]["relative"]]
        tables["clusters"] = find_rows(smk.input.clusters, "clusters", pd.concat(rows).unique())
        named = [("cluster", "in", tables["clusters"]["cluster"].unique().tolist() or [-1])]
        stats = read_table(smk.input.stats, "cluster_stats", filters=named)
        labels, fetched = tables.pop("labels"), tables["fetched"]
        search = Search(SearchSettings(size=p.size, **p.search))
        null, guards = NullSettings(**p.test), GuardSettings(**p.guards)
        with ImageArchive(smk.input.images) as made, ImageArchive(smk.input.training) as training:
            seeds = p.seeds or seeds_of_prompts(made.names())  # whatever a closed system gave
            images, readable = read_generations(made, labels["prompt_id"], seeds, p.size)
            squares = Squares(training, fetched, p.size)
            pairing = pair_images(
                labels, seeds, readable, tables, squares.image_of, null.neighbours
            )
            placeholders = find_placeholders(
                fetched, tables["clusters"], stats, squares.image_of, **p.placeholder
            )
            log.info(
                "%d pairs of a generation and an image, %d images",
                pairing.tested.sum(),
                len(squares),
            )
            pairs, values, residuals = compare_pairs(
                search, squares.get, search.prepare(images), pairing, null,
                lambda items: progress(items, "training images"),
            )  # fmt: skip

            def reasons(prompt: int, best: Any) -> Any:
                image = int(best["image"])
                base = squares.get(image)[int(best["base"])]
                generation = images[prompt * readable.shape[1] + int(best["seed"])]
                return pair_doubts(
                    generation, base, best, search.settings, guards, image in placeholders
                )

            best = best_pairs(pairs)
            names = PairNames(seeds, pairing.row, squares.crop, p.size)
            described = describe_pairs(labels, best, names, len(values))
            table = verify_pairs(described, best, reasons, null.alpha)
        write_table(smk.output.verification, "verification", table)
        write_table(smk.output.null, "null", residuals)
        log.info(
            "%d pairs, null of %d; %d placeholders", len(pairs), len(values), len(placeholders)
        )
        log.info("verified %s", table[table["verified"]]["label"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
