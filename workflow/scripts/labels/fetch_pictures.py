"""Rule fetch_pictures: the prompts' own rows, the neighbours and their relatives -> their pictures."""

import pandas as pd

from verbatim.dedup.relatives import choose_relatives
from verbatim.images import row_name, write_archive
from verbatim.inputs.pictures import TrainingPictures
from verbatim.records import read_table, write_table
from verbatim.runtime import progress, script


def main(smk):
    with script(smk) as log:
        own = read_table(smk.input.selection, "selection", ["row"])["row"]
        near = read_table(smk.input.neighbours, "neighbours", ["row"])["row"]
        asked = pd.concat([own, near])
        asked = asked[asked >= 0].unique()
        relatives = choose_relatives(
            asked,
            (read_table(path, "pairs") for path in smk.input.pairs),
            read_table(smk.input.clusters, "clusters"),
            read_table(smk.input.copies, "copies"),
            most=smk.params.relatives,
        )
        wanted = sorted({*asked.tolist(), *relatives["relative"].tolist()})
        columns = ["row", "caption", "archive", "member"]
        chosen = [("row", "in", wanted)]
        where = [read_table(p, "rows", columns, chosen) for p in smk.input.rows]
        rows = pd.concat(where).sort_values("row")
        if len(rows) != len(wanted):
            absent = sorted(set(wanted) - set(rows["row"]))
            raise ValueError(
                f"rows {absent[:10]} are not in inputs/rows; run search_neighbours again"
            )
        fetched = []

        def pictures():
            with TrainingPictures() as reader:
                for row, caption, archive, member in progress(
                    rows[columns].itertuples(index=False, name=None), "pictures", len(rows)
                ):
                    got = reader.read(archive, member)
                    name = row_name(row) if got.picture is not None else ""
                    fetched.append((row, caption, name, got.status, got.reason))
                    if got.picture is not None:
                        yield name, got.picture

        write_archive(smk.output.pictures, pictures())
        table = pd.DataFrame(fetched, columns=["row", "caption", "member", "status", "reason"])
        log.info("%d pictures: %s", len(table), table["status"].value_counts().to_dict())
        write_table(smk.output.fetched, "fetched", table)
        write_table(smk.output.relatives, "relatives", relatives)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
