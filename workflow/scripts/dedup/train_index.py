"""Rule train_index: a sample of the distinct embeddings -> an empty index, trained where its kind is."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verbatim.dedup.index import draw_rows, read_distinct_rows, train_index, write_index
from verbatim.io.records import read_manifest
from verbatim.io.search import Embeddings, gpu_state, use_threads
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))

        def shards() -> Iterator[np.ndarray]:
            for path in progress(smk.input.rows, "shards to draw from"):
                yield read_distinct_rows(path, smk.input.copies)

        sample = draw_rows(shards(), p.train_rows, p.seed)
        gpu = bool(p.gpu) and not gpu_state()
        log.info("%d rows, on the %s %s", len(sample), "GPU" if gpu else "CPU", gpu_state())
        index = train_index(embeddings, sample, p.factory, p.nprobe, gpu)
        write_index(index, smk.output.index)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
