"""Clusters of each point's training images, how alike their captions are, and what is replicated of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.generations import sample_similarities
from verbatim.io.measures import Measures
from verbatim.io.pool_features import PoolFeatures
from verbatim.io.records import SCHEMAS, read_table, read_tables, write_table
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, script
from verbatim.similarity import dataset
from verbatim.sweep.pool import take_rows


def main(smk: Any) -> None:
    with script(smk) as log:
        p, seed = smk.params, int(smk.wildcards.seed)
        pool = read_table(smk.input.pool, "sweep_pool")
        table = read_table(smk.input.table, "images", ["image_id", "code"])
        codes = dict(zip(table["image_id"].tolist(), table["code"], strict=True))
        features = PoolFeatures.read(smk.input.features, [p.descriptor], inception=False)
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        states = read_tables(smk.input.states, "sweep_state").set_index("point")["status"]
        measures, tables = [], [SCHEMAS["similarity_clusters"].empty_table().to_pandas()]
        known: dict[str, np.ndarray] = {}  # caption -> its vector
        files = zip(smk.input.similarities, smk.input.generations, strict=True)
        for (point, settings), of_run in zip(p.points.items(), files, strict=True):
            if states[point] != "ok":
                log.warning("%s: its training failed", point)
                continue
            rows, texts = take_rows(pool, settings, p.captions, codes)
            members = rows[rows["member"]]
            ids = members["image_id"].to_numpy()
            vectors = features.of(ids)[p.descriptor].whole
            of_place = dataset.cluster_images(vectors, p.threshold)
            clusters = dict(zip(ids.tolist(), ids[of_place].tolist(), strict=True))
            captions = dataset.caption_rows(members, texts)
            new = sorted(set(captions["caption"]) - set(known))
            known |= zip(new, clip.embed_texts(new), strict=True)
            found = dataset.cluster_table(captions, clusters, known)
            similar, made = map(
                read_table, of_run, ("similarity_matches", "mitigation_generations")
            )
            similar = sample_similarities(similar[similar["descriptor"] == p.descriptor], made)
            found = dataset.add_replication(found, similar, clusters, p.copy_above)
            out = Measures(point, seed, "none")
            dataset.add_dataset(out, found, p.confidence)
            measures.append(out.table)
            tables.append(found.assign(point=point, seed=seed))
            log.info("%s: %d clusters of %d images", point, len(found), len(ids))
        empty = SCHEMAS["run_measures"].empty_table().to_pandas()
        tables, measures = tables[1:] or tables, measures or [empty]
        write_table(smk.output.clusters, "similarity_clusters", pd.concat(tables))
        write_table(smk.output.measures, "run_measures", pd.concat(measures))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
