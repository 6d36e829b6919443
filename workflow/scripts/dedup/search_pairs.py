"""Rule search_pairs: one shard's rows -> their neighbours, judged by the raw vectors."""

from verbatim.dedup.index import indexed_rows
from verbatim.dedup.pairs import find_pairs
from verbatim.records import read_manifest, read_table, write_table
from verbatim.runtime import script
from verbatim.search import Embeddings, open_index, use_threads


def main(smk):
    with script(smk) as log:
        use_threads(smk.threads)
        manifest = read_manifest(smk.input.manifest)
        shard = manifest.set_index("shard").loc[smk.wildcards.shard]
        first, last = int(shard["first_row"]), int(shard["first_row"] + shard["rows"])
        found = find_pairs(
            open_index(smk.input.index),
            Embeddings.from_manifest(manifest),
            indexed_rows(read_table(smk.input.rows, "rows", ["row", "status"])),
            read_table(
                smk.input.copies, "copies", filters=[("row", ">=", first), ("row", "<", last)]
            ),
            k=smk.params.k,
            most_neighbours=smk.params.most_neighbours,
            threshold=smk.params.threshold,
            relatives_threshold=smk.params.relatives_threshold,
            margin=smk.params.margin,
            batch=smk.params.batch,
        )
        near = int((found.pairs["similarity"] >= smk.params.threshold).sum())
        log.info("%d pairs, %d of them near-duplicates", len(found.pairs), near)
        log.info("%d rows had nothing but near-duplicates among k neighbours", found.full)
        if found.cut:
            log.warning(
                "%d rows have nothing else among %d either: their clusters may be in pieces; "
                "raise dedup.most_neighbours",
                found.cut,
                max(smk.params.k, smk.params.most_neighbours),
            )
        write_table(smk.output.pairs, "pairs", found.pairs)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
