"""Rule count_clusters: clusters and captions -> how large each cluster is and how alike its captions are."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from verbatim.dedup.clusters import cluster_stats
from verbatim.dedup.prompts import caption_keys
from verbatim.io.records import TableWriter, count_rows, read_table, rows_between
from verbatim.runtime import progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.stats) as folder:

        def members() -> Iterator[pd.DataFrame]:
            for path in progress(smk.input.rows, "shards of captions"):
                rows = read_table(path, "rows", ["row", "caption", "status"])
                inside = rows_between(smk.input.clusters, "clusters", rows["row"].to_numpy())
                rows = rows[rows["row"].isin(inside["row"])]
                inside["key"] = caption_keys(rows["caption"].fillna(""))
                inside["usable"] = (rows["status"] == "ok").to_numpy()
                yield inside

        def captions() -> Iterator[pd.DataFrame]:
            for path in progress(smk.input.rows, "shards of captions, again"):
                yield read_table(path, "rows", ["row", "caption"], [("status", "==", "ok")])

        n_clusters = 0
        memory = smk.params.memory_mb << 20
        with TableWriter(smk.output.stats, "cluster_stats") as table:
            for piece in cluster_stats(members(), captions(), folder, memory):
                table.write(piece)
                n_clusters += len(piece)
        log.info("%d rows in %d clusters", count_rows(smk.input.clusters), n_clusters)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
