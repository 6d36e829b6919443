"""Rule check_model: a row of the models sheet -> what is loaded of its checkpoint, or an error with the cure."""

from typing import Any

from verbatim.models.checkpoint import check_checkpoint, files_of, find_checkpoint
from verbatim.models.files import digest
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        row = smk.params.model
        checkpoint = find_checkpoint(row)
        check_checkpoint(checkpoint)
        files = files_of(checkpoint)
        lines = [f"{n}\t{path.stat().st_size}\t{digest(path)}" for n, path in files.items()]
        log.info("%s: %d files of %s are loaded", row["model"], len(lines), checkpoint.path)
        write_text(smk.output.files, "\n".join(["file\tbytes\tsha256", *lines]) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
