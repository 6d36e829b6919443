"""Rule fetch_images: the wanted rows -> their images, from the archives or as they were fetched by url."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.inputs.url_cache import FetchedUrls
from verbatim.io.images import row_name, write_archive
from verbatim.io.missing import check_missing
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.training_images import TrainingImages
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        rows = read_table(smk.input.wanted, "wanted")
        urls = read_table(smk.input.urls, "urls") if smk.input.urls else None
        by_url = FetchedUrls(smk.params.cache, urls)
        fetched: list[tuple[int, str, str, str, str]] = []

        def images() -> Iterator[tuple[str, np.ndarray]]:
            columns = rows[["row", "caption", "archive", "member"]]
            with TrainingImages() as reader:
                for row, caption, archive, member in progress(
                    columns.itertuples(index=False, name=None), "images", len(rows)
                ):
                    got = by_url.read(row) if row in by_url else reader.read(archive, member)
                    name = row_name(row) if got.image is not None else ""
                    fetched.append((row, caption, name, got.status, got.reason))
                    if got.image is not None:
                        yield name, got.image

        write_archive(smk.output.images, images())
        table = pd.DataFrame(fetched, columns=SCHEMAS["fetched"].names)
        log.info("%d images: %s", len(table), table["status"].value_counts().to_dict())
        check_missing(
            table.loc[table["status"] != "ok", "reason"].value_counts().to_dict(), len(table),
            smk.params.most_missing, "training images",
            "Bring the archives that hold them (inputs.images) or let them be fetched (inputs.fetch_urls)",
        )  # fmt: skip
        write_table(smk.output.fetched, "fetched", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
