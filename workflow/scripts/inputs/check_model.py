"""Rule check_model: a model's folder or hub id -> the list of its files, or an error with the cure."""

from verbatim.diffusion.load import check_folder, find_folder
from verbatim.runtime import script, write_text


def main(smk):
    with script(smk) as log:
        row = smk.params.model
        folder = find_folder(row["source"], row["revision"] or None)
        check_folder(folder, row["family"])
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        lines = [f"{path.relative_to(folder)}\t{path.stat().st_size}" for path in files]
        log.info("%s: %d files in %s", row["model"], len(lines), folder)
        write_text(smk.output.files, "\n".join(["file\tbytes", *lines]) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
