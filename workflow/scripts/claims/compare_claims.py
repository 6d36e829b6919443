"""Compare the papers' claims, and Table 1 of the mitigations, with the study's numbers; write the page of both."""

from pathlib import Path
from typing import Any

from verbatim.claims.claims import compare_claims, compare_measures, count_verdicts
from verbatim.claims.claims_page import PageTables, Template, render_page, usual_table
from verbatim.claims.designs import make_grid
from verbatim.claims.mitigation_table import PAPER, mitigation_table
from verbatim.claims.papers import CLAIMS
from verbatim.io.records import read_table
from verbatim.io.user_tables import read_values
from verbatim.runtime import script, write_text
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        measures = read_table(smk.input.measures, "run_measures")
        states = read_table(smk.input.states, "sweep_state")
        pool = read_table(smk.input.pool, "sweep_pool")
        grid = make_grid(p.points, p.base, int((~pool["held_out"]).sum()), p.defended, p.defences)
        claims = compare_claims(CLAIMS, measures, states, grid, p.confidence)
        robustness = compare_measures(CLAIMS, measures, states, grid, p.confidence)
        paper = read_values(smk.input.paper, PAPER[:3], PAPER[3:])
        table = mitigation_table(measures, states, grid, paper, p.confidence)
        write_text(smk.output.claims, csv_text(claims))
        write_text(smk.output.counts, csv_text(count_verdicts(claims)))
        write_text(smk.output.robustness, csv_text(robustness))
        write_text(smk.output.table, csv_text(table))
        figures = {Path(path).stem: Path(path).read_bytes() for path in smk.input.figures}
        tables = PageTables(claims, robustness, table, states, usual_table(measures, grid))
        template = Template(*(Path(path).read_text("utf-8") for path in smk.input.template))
        page = render_page(template, tables, figures, p.seeds, p.confidence)
        write_text(smk.output.page, page)
        for verdict, n in claims["verdict"].value_counts().items():
            log.info("%s: %d", verdict, n)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
