"""Rule search_pairs: one shard's rows -> their neighbours, judged by the raw vectors."""

from typing import Any

from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.dedup.pairs import PairSettings, find_pairs
from verbatim.io.records import read_manifest, read_table, rows_between, write_table
from verbatim.io.search import Embeddings, gpu_state, open_index, use_threads
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        rows = indexed_rows(read_table(smk.input.rows, "rows", ["row", "status"]))
        gpu = bool(p.gpu) and not gpu_state()
        log.info("%d rows, on the %s %s", len(rows), "GPU" if gpu else "CPU", gpu_state())
        settings = PairSettings(
            p.k, p.most_neighbours, p.threshold, p.relatives_threshold, p.margin, p.batch
        )
        found = find_pairs(
            open_index(smk.input.index, gpu),
            Embeddings.from_manifest(read_manifest(smk.input.manifest)),
            rows,
            rows_between(smk.input.copies, "copies", rows),
            settings,
            p.memory_mb << 20,
        )
        near = int((found.pairs["similarity"] >= p.threshold).sum())
        log.info("%d pairs, %d of them near-duplicates", len(found.pairs), near)
        log.info("%d rows had nothing but near-duplicates among k neighbours", found.full)
        if found.cut:
            log.warning(
                "%d rows have nothing else among %d either: their clusters may be in pieces; "
                "raise dedup.most_neighbours",
                found.cut,
                max(p.k, p.most_neighbours),
            )
        write_table(smk.output.pairs, "pairs", found.pairs)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
