"""A sample of the world's images as a user keeps them: a folder with metadata.csv; and, apart from it, what they are."""

from pathlib import Path
from typing import Any

from verbatim.io.atomic import new_folder
from verbatim.io.images import encode_png
from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array
from verbatim.runtime import script
from verbatim.world.audited_sample import metadata_text, select_sample


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        sample = select_sample(read_table(smk.input.truth, "truth"), p.sample, p.seed)
        images = read_array(smk.input.images)
        with new_folder(smk.output.folder) as folder:
            (folder / "images").mkdir()
            for row in sample.to_dict("records"):
                Path(folder, row["file"]).write_bytes(encode_png(images[row["image_id"]]))
            Path(folder, "metadata.csv").write_text(metadata_text(sample), encoding="utf-8")
        kinds = sample[["file", "image_id", "kind", "count"]]
        write_table(smk.output.kinds, "audit_sample", kinds)
        log.info("%d images: %s", len(sample), sample["kind"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
