"""Rule cluster_rows: the near-duplicate pairs of all shards -> clusters, and the size of each row's."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verbatim.dedup.clusters import cluster_sizes
from verbatim.dedup.components import find_clusters, plan_blocks
from verbatim.io.records import TableWriter, iter_table, read_manifest
from verbatim.runtime import progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.clusters) as folder:
        memory = smk.params.memory_mb << 20
        n_rows = int(read_manifest(smk.input.manifest)["rows"].sum())
        log.info("%d rows in blocks of %d", n_rows, plan_blocks(n_rows, memory).block)

        def chunks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for path in progress(smk.input.pairs, "shards of pairs"):
                for pairs in iter_table(path, "pairs"):
                    near = pairs[pairs["similarity"] >= smk.params.threshold]
                    yield near["row_a"].to_numpy(), near["row_b"].to_numpy()

        members = 0
        with TableWriter(smk.output.clusters, "clusters") as table:
            for piece in find_clusters(chunks(), n_rows, folder, memory):
                table.write(piece)
                members += len(piece)
        n_clusters = 0
        with TableWriter(smk.output.sizes, "cluster_sizes") as table:
            clusters = iter_table(smk.output.clusters, "clusters")
            for piece in cluster_sizes(clusters, folder, memory):
                table.write(piece)
                n_clusters += int((piece["row"] == piece["cluster"]).sum())
        log.info("%d of %d rows in %d clusters", members, n_rows, n_clusters)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
