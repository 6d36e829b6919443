"""Rule check_clip_files: a CLIP folder of the user -> what is loaded of it, or an error with the cure."""

from pathlib import Path
from typing import Any

from verbatim.models.clip import check_clip, clip_files
from verbatim.models.files import digest
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        folder = Path(smk.params.folder)
        check_clip(folder)
        names = clip_files(folder)
        lines = [f"{n}\t{(folder / n).stat().st_size}\t{digest(folder / n)}" for n in names]
        log.info("%d files in %s are loaded", len(lines), folder)
        write_text(smk.output.files, "\n".join(["file\tbytes\tsha256", *lines]) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
