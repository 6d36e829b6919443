"""Rule build_index: all embeddings -> a faiss index of the distinct ones, and the list of equal ones."""

import numpy as np

from verbatim.dedup.index import build_index, find_copies, indexed_rows, write_index
from verbatim.records import read_manifest, read_table, write_table
from verbatim.runtime import script
from verbatim.search import Embeddings, use_threads


def main(smk):
    with script(smk) as log:
        use_threads(smk.threads)
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))
        parts = [indexed_rows(read_table(p, "rows", ["row", "status"])) for p in smk.input.rows]
        copies = find_copies(embeddings, parts)
        rows = np.setdiff1d(np.concatenate(parts), copies["row"], assume_unique=True)
        log.info("%d distinct embeddings, %d equal to another", len(rows), len(copies))
        index = build_index(
            embeddings,
            rows,
            factory=smk.params.factory,
            nprobe=smk.params.nprobe,
            train_rows=smk.params.train_rows,
            seed=smk.params.seed,
            batch=smk.params.batch,
        )
        write_index(index, smk.output.index)
        write_table(smk.output.copies, "copies", copies)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
