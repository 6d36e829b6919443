"""Rule count_duplicates: cluster statistics -> histograms of duplication and of equal captions."""

from typing import Any

from verbatim.dedup.clusters import histogram
from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.io.records import count_rows, iter_table, read_table, write_table
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        n_rows = sum(
            len(indexed_rows(read_table(path, "rows", ["row", "status"])))
            for path in progress(smk.input.rows, "shards")
        )
        alone = n_rows - count_rows(smk.input.clusters)
        stats = iter_table(smk.input.stats, "cluster_stats", ["size", "share_equal_captions"])
        table = histogram(stats, alone, smk.params.share_bins)
        log.info("%d rows in clusters, %d alone", n_rows - alone, alone)
        write_table(smk.output.histograms, "histograms", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
