"""Rule build_index: the trained index and some shards' distinct embeddings -> one part of the index."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verbatim.dedup.index import fill_index, read_distinct_rows, write_index
from verbatim.io.records import read_manifest
from verbatim.io.search import Embeddings, open_part, use_threads
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        use_threads(smk.threads)
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))

        def shards() -> Iterator[np.ndarray]:
            for path in progress(smk.input.rows, "shards"):
                yield read_distinct_rows(path, smk.input.copies)

        trained = open_part(smk.input.trained, mapped=False)
        index = fill_index(trained, embeddings, shards(), smk.params.batch)
        log.info("%d distinct embeddings", index.ntotal)
        write_index(index, smk.output.index)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
