"""Which prompts get many full syntheses.

Webster 2023, section 4, and Carlini et al. 2023: the top prompts of the cheaper score.
"""

from __future__ import annotations

import pandas as pd


def select_top(scored: pd.DataFrame, ranks: pd.DataFrame, n_prompts: int, why: str) -> pd.DataFrame:
    """The `n_prompts` prompts of lowest rank, and every extra prompt beside them.

    Extra prompts take no place among the `n_prompts`: whatever is judged beside the attack does not
    change the attack.

    Parameters
    ----------
    scored : a `selection` table, the prompts that were scored.
    ranks : prompt_id, rank of each of them; 0 is the best.
    why : word written for those taken by rank; `extra` is added for extra prompts.

    Returns
    -------
    A `selection` table by rank, a prompt once.

    Raises
    ------
    ValueError : a prompt without a rank.
    """
    table = scored.drop(columns="why").merge(
        ranks[["prompt_id", "rank"]], on="prompt_id", how="left", validate="one_to_one"
    )
    lacking = table.loc[table["rank"].isna(), "prompt_id"]
    if len(lacking):
        raise ValueError(
            f"prompt_id {lacking.iloc[0]} ({len(lacking)} in all) was selected but has no rank; "
            "selection and scores come from different runs: make both again"
        )
    table = table.sort_values("rank", kind="stable", ignore_index=True)
    top = ~table["extra"] & ((~table["extra"]).cumsum() <= n_prompts)
    table["why"] = top.map({True: why, False: "extra"})
    return table.loc[top | table["extra"], list(scored.columns)].reset_index(drop=True)
