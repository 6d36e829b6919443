# study, concluding: membership, the papers' claims, tables, figures, the page. Carlini 2023; Somepalli 2022, 2023.
#
# INPUTS   <results>/study/runs, <results>/study/points
# OUTPUTS  <results>/study/measures.parquet, table1.csv, claims.csv, claims.html, figures


def all_study():
    """What the study comes to: tables, page, figures."""
    return []
