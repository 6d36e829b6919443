"""Rule merge_copies: the hashes of all shards -> rows whose vector equals that of a lower row."""

from typing import Any

from verbatim.dedup.equal_vectors import find_copies
from verbatim.io.records import TableWriter, read_manifest
from verbatim.io.search import Embeddings, MappedArrays
from verbatim.runtime import scratch, script


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.copies) as folder:
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))
        shards = MappedArrays(smk.input.fingerprints)
        memory, count = smk.params.memory_mb << 20, 0
        with TableWriter(smk.output.copies, "copies") as table:
            for piece in find_copies(embeddings, shards, folder, memory):
                table.write(piece)
                count += len(piece)
        log.info("%d of %d rows equal a lower one", count, sum(s.shape[1] for s in shards))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
