"""Rule check_model: a model's folder or hub id -> what is loaded of it, or an error with the cure."""

from typing import Any

from verbatim.models.files import digest
from verbatim.models.load import check_folder, find_model, list_files
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        row = smk.params.model
        folder = find_model(row["source"], row["family"], row["revision"] or None)
        check_folder(folder, row["family"])
        names = list_files(folder, row["family"])
        lines = [f"{n}\t{(folder / n).stat().st_size}\t{digest(folder / n)}" for n in names]
        log.info("%s: %d files in %s are loaded", row["model"], len(lines), folder)
        write_text(smk.output.files, "\n".join(["file\tbytes\tsha256", *lines]) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
