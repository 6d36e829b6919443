"""The tables of a run on one page to read."""

from pathlib import Path
from typing import Any

from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script, write_text
from verbatim.tables.page import SECTIONS, render_page


def main(smk: Any) -> None:
    with script(smk):
        tables = {
            name: read_csv(smk.input.get(name), keep_default_na=False, na_values=[""])
            for name in SECTIONS
            if smk.input.get(name)
        }
        template, style = (Path(path).read_text("utf-8") for path in smk.input.template)
        write_text(smk.output.page, render_page(template, style, tables))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
