"""How many prompts the verifier calls copies, by model and label."""

from __future__ import annotations

import pandas as pd


def count_verified(
    tables: dict[str, pd.DataFrame], names: dict[str, str], alpha: float
) -> pd.DataFrame:
    """One row for each model, label and whether the prompt was extra: how many the verifier calls copies.

    Returns
    -------
    model, name, label, extra, prompts, p_below_alpha (single tests at alpha, nothing adjusted for the
    number of prompts), significant (q <= alpha), doubtful (of these, set aside by a guard),
    verified (the rest), expected_false (alpha * significant: what the rate allows), alpha, n_null.
    """
    rows = []
    for model, table in tables.items():
        for (label, extra), group in table.groupby(["label", "extra"], sort=True):
            significant = group["q"].le(alpha)
            rows.append(
                {
                    "model": model, "name": names[model], "label": label, "extra": bool(extra),
                    "prompts": len(group), "p_below_alpha": int(group["p"].le(alpha).sum()),
                    "significant": int(significant.sum()),
                    "doubtful": int((significant & ~group["verified"]).sum()),
                    "verified": int(group["verified"].sum()),
                    "expected_false": alpha * int(significant.sum()), "alpha": alpha,
                    "n_null": int(group["n_null"].max()),
                }
            )  # fmt: skip
    columns = [
        "model", "name", "label", "extra", "prompts", "p_below_alpha", "significant", "doubtful",
        "verified", "expected_false", "alpha", "n_null",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
