"""Rule select_prompts: rows and clusters -> the most duplicated prompts, and the extra ones."""

import numpy as np
import pandas as pd

from verbatim.dedup.prompts import caption_keys, rank_captions, read_extra_prompts, select_prompts
from verbatim.records import read_table, write_table
from verbatim.runtime import script


def main(smk):
    with script(smk) as log:
        chars = (smk.params.min_caption_chars, smk.params.max_caption_chars)
        extra = [c for path in smk.input.extra for c in read_extra_prompts(path, chars)]
        clusters = read_table(smk.input.clusters, "clusters")
        usable = [("status", "==", "ok")]
        rows, keys = [], []
        for path in smk.input.rows:  # one shard's captions at a time: only their keys stay
            shard = read_table(path, "rows", ["row", "caption"], filters=usable)
            rows.append(shard["row"].to_numpy())
            keys.append(caption_keys(shard["caption"]))
        ranked = rank_captions(np.concatenate(keys), np.concatenate(rows), clusters)
        wanted = ranked["row"].head(smk.params.n_prompts)
        of_extra = ranked["row"][ranked["key"].isin(caption_keys(pd.Series(extra, dtype=object)))]
        wanted = pd.concat([wanted, of_extra])
        captions = []
        for path in smk.input.rows:
            shard = read_table(path, "rows", ["row", "caption"], filters=usable)
            captions.append(shard[shard["row"].isin(wanted)])
        prompts = select_prompts(
            ranked,
            smk.params.n_prompts,
            pd.concat(captions, ignore_index=True),
            read_table(smk.input.stats, "cluster_stats"),
            extra,
        )
        log.info(
            "%d prompts of %d captions, %d extra", len(prompts), len(ranked), prompts["extra"].sum()
        )
        write_table(smk.output.prompts, "prompts", prompts)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
