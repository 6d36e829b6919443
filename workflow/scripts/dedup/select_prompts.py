"""Rule select_prompts: rows and clusters -> the most duplicated prompts, and the extra ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.prompts import (
    caption_keys,
    rank_captions,
    read_extra_prompts,
    select_prompts,
)
from verbatim.io.records import iter_table, read_table, rows_between, write_table
from verbatim.runtime import progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.prompts) as folder:
        p = smk.params
        chars = (p.min_caption_chars, p.max_caption_chars)
        extra = [c for path in smk.input.extra for c in read_extra_prompts(path, chars)]

        def captions(what: str) -> Iterator[pd.DataFrame]:
            for path in progress(smk.input.rows, what):
                yield read_table(path, "rows", ["row", "caption"], [("status", "==", "ok")])

        def keyed() -> Iterator[pd.DataFrame]:
            for shard in captions("shards of captions"):
                rows = shard["row"].to_numpy()
                sizes = rows_between(smk.input.sizes, "cluster_sizes", rows)
                table = shard[["row"]].merge(sizes, on="row", how="left")
                table["cluster"] = table["cluster"].fillna(-1).astype("int64")
                table["cluster_size"] = table["size"].fillna(1).astype("int32")
                table["key"] = caption_keys(shard["caption"])
                yield table

        ranked, n_captions = rank_captions(
            keyed(),
            p.n_prompts,
            caption_keys(pd.Series(extra, dtype=object)) if extra else np.empty(0, np.uint64),
            folder,
            p.memory_mb << 20,
        )
        chosen = [c[c["row"].isin(ranked["row"])] for c in captions("shards of captions, again")]
        stats = [
            some[some["cluster"].isin(ranked["cluster"])]
            for some in iter_table(smk.input.stats, "cluster_stats")
        ]
        prompts = select_prompts(
            ranked,
            p.n_prompts,
            pd.concat(chosen, ignore_index=True),
            pd.concat(stats) if stats else read_table(smk.input.stats, "cluster_stats"),
            extra,
        )
        log.info(
            "%d prompts of %d captions, %d extra", len(prompts), n_captions, prompts["extra"].sum()
        )
        write_table(smk.output.prompts, "prompts", prompts)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
