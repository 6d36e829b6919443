"""Rule build_release: a model's labels -> the same in the authors' layout, with masks and images."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from verbatim.io.atomic import new_folder
from verbatim.io.authors import labels_table
from verbatim.io.images import ImageArchive, encode_png
from verbatim.io.parquet import write_parquet
from verbatim.io.privacy import blur, read_privacy
from verbatim.io.records import read_table
from verbatim.labels.authors_layout import to_release
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        labels = read_table(smk.input.labels, "labels")
        wanted = sorted({*labels["row"], *labels["source_row"]} - {-1}) or [-1]
        parts = [
            read_table(path, "rows", ["row", "url"], [("row", "in", wanted)])
            for path in smk.input.rows
        ]
        urls = pd.concat(parts).set_index("row")["url"]
        privacy = read_privacy(smk.params.images, smk.params.only, smk.input.known_prompts)
        release = to_release(labels, urls, privacy)
        folder = Path(smk.output.release)
        with new_folder(folder) as part:
            write_parquet(part / "labels.parquet", labels_table(release.labels))
            for name in ("templates", "retrieved"):
                table = pa.Table.from_pandas(getattr(release, name), preserve_index=False)
                write_parquet(part / name / "metadata.parquet", table)
            for archive, files in (
                (smk.input.masks, release.masks),
                (smk.input.training, release.images),
            ):
                with ImageArchive(archive) as images:
                    for file, member in files.items():
                        path = part / file
                        path.parent.mkdir(parents=True, exist_ok=True)
                        blurred = file in release.blurred
                        data = encode_png(blur(images.read(member))) if blurred else b""
                        path.write_bytes(data or images.read_bytes(member))
        log.info(
            "%d labels; left out: %d prompts without a row, %d without a verdict",
            len(release.labels), *release.left_out,
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
