"""Rule check_upscaler: the folder or hub id of a model's second stage -> what is loaded of it, or an error."""

from pathlib import Path
from typing import Any

from verbatim.models.files import digest
from verbatim.models.load import find_model
from verbatim.models.load_upscaler import check_upscaler, find_upscaler, list_upscaler_files
from verbatim.models.upscaling import UpscalerSettings
from verbatim.runtime import model_source, script, split_upscaler, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        row = smk.params.model
        source, revision, how = split_upscaler(smk.params.upscaler)
        first = find_model(model_source(smk), row["family"], row["revision"] or None)
        folder = find_upscaler(source, row["family"], revision)
        check_upscaler(Path(folder), first, row["family"], UpscalerSettings(**how))
        names = list_upscaler_files(folder, row["family"])
        lines = [f"{n}\t{(folder / n).stat().st_size}\t{digest(folder / n)}" for n in names]
        log.info("%s: %d files in %s are loaded", row["model"], len(lines), folder)
        write_text(smk.output.files, "\n".join(["file\tbytes\tsha256", *lines]) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
