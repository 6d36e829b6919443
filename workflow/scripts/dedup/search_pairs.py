"""Rule search_pairs: one shard's rows -> their neighbours, judged by the raw vectors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.equal_vectors import indexed_rows
from verbatim.dedup.exact import ExactSearch, Products, choose_search
from verbatim.dedup.index import distinct_rows
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
        choice = choose_search(p.search, n_rows, p.exact_rows, where != "cpu")

        def others() -> Iterator[np.ndarray]:
            for shard in progress(manifest["shard"], "shards to compare with"):
                some = indexed_rows(
                    read_table(f"{p.others}/{shard}.parquet", "rows", ["row", "status"])
                )
                again = rows_between(smk.input.copies, "copies", some, ["row"])
                yield distinct_rows(some, again["row"].to_numpy())

        def exact_pairs() -> Iterator[pd.DataFrame]:
            how = Products.on(where, p.batch)
            log.info(
                "exact search of %d rows on the %s: %s",
                len(rows),
                f"GPU ({where}), in half precision" if how.device else "CPU",
                choice.why,
            )
            search = ExactSearch(embeddings, others, settings, how, p.memory_mb << 19)
            yield copy_pairs(embeddings, rows, copies)
            yield from search.pairs(distinct_rows(rows, copies["row"].to_numpy()))
            log.info("%d passes over the data set", search.passes)
            log.info("%d rows had more than most_neighbours near-duplicates", search.crowded)

        def indexed_pairs() -> Iterator[pd.DataFrame]:
            gpu = bool(p.gpu) and not gpu_state()
            log.info(
                "index search of %d rows on the %s %s: %s",
                len(rows), "GPU" if gpu else "CPU", gpu_state(), choice.why,
            )  # fmt: skip
            index = open_index(smk.input.index, gpu)
            found = find_pairs(index, embeddings, rows, copies, settings, p.memory_mb << 20)
            log.info("%d rows had nothing but near-duplicates among k neighbours", found.full)
            if found.cut:
                log.warning(
                    "%d rows have nothing else among %d either: their clusters may be in pieces; "
                    "raise dedup.most_neighbours",
                    found.cut,
                    max(p.k, p.most_neighbours),
                )
            yield found.pairs

        n_pairs = near = 0
        pieces = exact_pairs() if choice.exact else indexed_pairs()
        with scratch(smk.output.pairs) as folder, TableWriter(smk.output.pairs, "pairs") as table:
            for pairs in sort_pairs(pieces, folder, p.memory_mb << 19):
                table.write(pairs)
                n_pairs += len(pairs)
                near += int((pairs["similarity"] >= p.threshold).sum())
        log.info("%d pairs, %d of them near-duplicates", n_pairs, near)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
