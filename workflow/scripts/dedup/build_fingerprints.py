"""Rule build_fingerprints: one shard's embeddings -> a hash of each, sorted."""

from typing import Any

from verbatim.dedup.equal_vectors import fingerprints, indexed_rows
from verbatim.io.records import read_manifest, read_table
from verbatim.io.seals import write_array
from verbatim.io.search import Embeddings
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        embeddings = Embeddings.from_manifest(read_manifest(smk.input.manifest))
        rows = indexed_rows(read_table(smk.input.rows, "rows", ["row", "status"]))
        write_array(smk.output.fingerprints, fingerprints(embeddings, rows))
        log.info("%d rows", len(rows))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
