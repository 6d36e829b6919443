"""Rule search_pairs: one shard's rows -> their neighbours, judged by the raw vectors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.dedup.exact import ExactSearch, Products, choose_search
from verbatim.dedup.index import read_distinct_rows
from verbatim.dedup.pairs import PairSettings, copy_pairs, find_pairs, sort_pairs
from verbatim.io.records import TableWriter, read_manifest, read_table, rows_between
from verbatim.io.search import Embeddings, gpu_state, open_index, use_threads
from verbatim.runtime import device, progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        manifest = read_manifest(smk.input.manifest)
        embeddings = Embeddings.from_manifest(manifest)
        rows = indexed_rows(read_table(smk.input.rows, "rows", ["row", "status"]))
        copies = rows_between(smk.input.copies, "copies", rows)
        settings = PairSettings(
            p.k, p.most_neighbours, p.threshold, p.relatives_threshold, p.margin, p.batch
        )
        where = device() if p.gpu and p.search != "index" else "cpu"
        n_rows = int(manifest["rows"].sum())
        exact, why = choose_search(p.search, n_rows, p.exact_rows, where != "cpu")

        def exact_pairs() -> Iterator[pd.DataFrame]:
            log.info("exact search of %d rows on the device %s: %s", len(rows), where, why)
            files = [Path(smk.input.rows).with_stem(shard) for shard in manifest["shard"]]
            search = ExactSearch(
                embeddings,
                lambda: (
                    read_distinct_rows(file, smk.input.copies)
                    for file in progress(files, "shards to compare with")
                ),
                settings,
                Products.on(where, p.batch),
                p.memory_mb << 19,
            )
            yield copy_pairs(embeddings, rows, copies)
            yield from search.pairs(read_distinct_rows(smk.input.rows, smk.input.copies))
            log.info("%d passes over the data set", search.passes)
            log.info("%d rows had more than most_neighbours near-duplicates", search.crowded)

        def indexed_pairs() -> Iterator[pd.DataFrame]:
            on = "GPU" if p.gpu and not gpu_state() else f"CPU ({gpu_state()})"
            log.info("index search of %d rows on the %s: %s", len(rows), on, why)
            index = open_index(smk.input.index, on == "GPU")
            found = find_pairs(index, embeddings, rows, copies, settings, p.memory_mb << 20)
            log.info("%d rows had nothing but near-duplicates among k neighbours", found.full)
            if found.cut:
                log.warning(
                    "%d rows have nothing else among %d either: their clusters may be in pieces; "
                    "raise dedup.most_neighbours",
                    found.cut, max(p.k, p.most_neighbours),
                )  # fmt: skip
            yield found.pairs

        n_pairs = near = 0
        pieces = exact_pairs() if exact else indexed_pairs()
        with scratch(smk.output.pairs) as folder, TableWriter(smk.output.pairs, "pairs") as table:
            for pairs in sort_pairs(pieces, folder, p.memory_mb << 19):
                table.write(pairs)
                n_pairs += len(pairs)
                near += int((pairs["similarity"] >= p.threshold).sum())
        log.info("%d pairs, %d of them near-duplicates", n_pairs, near)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
