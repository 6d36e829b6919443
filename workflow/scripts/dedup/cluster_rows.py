"""Rule cluster_rows: the near-duplicate pairs of all shards -> clusters, and how alike their captions are."""

import pandas as pd

from verbatim.dedup.clusters import cluster_stats, cluster_table, components
from verbatim.records import read_manifest, read_table, write_table
from verbatim.runtime import progress, script


def main(smk):
    with script(smk) as log:
        n_rows = int(read_manifest(smk.input.manifest)["rows"].sum())
        near = [("similarity", ">=", smk.params.threshold)]
        pairs = (read_table(p, "pairs", filters=near) for p in smk.input.pairs)
        chunks = ((p["row_a"].to_numpy(), p["row_b"].to_numpy()) for p in pairs)
        clusters = cluster_table(
            components(progress(chunks, "shards of pairs", len(smk.input.pairs)), n_rows)
        )
        log.info(
            "%d of %d rows in %d clusters", len(clusters), n_rows, clusters["cluster"].nunique()
        )
        captions = []
        for path in smk.input.rows:  # one shard at a time, of which few rows stay
            rows = read_table(path, "rows", ["row", "caption"], filters=[("status", "==", "ok")])
            captions.append(rows[rows["row"].isin(clusters["row"])])
        stats = cluster_stats(clusters, pd.concat(captions, ignore_index=True))
        write_table(smk.output.clusters, "clusters", clusters)
        write_table(smk.output.stats, "cluster_stats", stats)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
