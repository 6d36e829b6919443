"""Rule build_index: the trained index and some shards' distinct embeddings -> one part of the index."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.dedup.index import distinct_rows, fill_index, write_index
from verbatim.io.records import read_manifest, read_table, rows_between
from verbatim.io.search import Embeddings, open_part, use_threads
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        use_threads(smk.threads)
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))

        def shards() -> Iterator[np.ndarray]:
            for path in progress(smk.input.rows, "shards"):
                rows = indexed_rows(read_table(path, "rows", ["row", "status"]))
                copies = rows_between(smk.input.copies, "copies", rows, ["row"])
                yield distinct_rows(rows, copies["row"].to_numpy())

        trained = open_part(smk.input.trained, mapped=False)
        index = fill_index(trained, embeddings, shards(), smk.params.batch)
        log.info("%d distinct embeddings", index.ntotal)
        write_index(index, smk.output.index)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
