"""By owner: how many of the images came back, and whether the model seems to know the captions of all of them.

The membership test is CDI's idea (Dubiński et al. 2025, "CDI: Copyrighted Data Identification in Diffusion Models"):
scores of an owner's published images against those of images that the model cannot have seen, by a one-sided Welch t-test.
Here the scores are first-step scores of captions, calibrated by their ranks among both: normal scores (van der Waerden
1952), so that no score's tail decides. It says that a set was probably trained on. It never says that an image was copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.metrics.fdr import benjamini_hochberg
from verbatim.metrics.intervals import clopper_pearson

NAN = float("nan")


@dataclass(frozen=True)
class OwnerSettings:
    """scores : columns whose calibrated mean is tested. least, least_controls : distinct captions that a test needs.

    confidence : of the share given back.
    """

    scores: Sequence[str]
    least: int
    least_controls: int
    confidence: float


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Each column of values (n, k) by its ranks as quantiles of a normal distribution; ties share the mean rank.

    van der Waerden 1952: Phi^-1(rank / (n + 1)).
    """
    from scipy.stats import norm, rankdata

    return norm.ppf(rankdata(values, axis=0) / (len(values) + 1))


def membership_test(of_owner: np.ndarray, of_controls: np.ndarray) -> tuple[float, float]:
    """Statistic and p-value that an owner's scores are higher than the controls': one-sided Welch t.

    of_owner : (m, k). of_controls : (c, k). Each score is calibrated over both together, and the mean over k is tested.
    """
    from scipy.stats import ttest_ind

    both = normal_scores(np.concatenate([of_owner, of_controls])).mean(axis=1)
    one, other = both[: len(of_owner)], both[len(of_owner) :]
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return NAN, NAN
    found = ttest_ind(one, other, equal_var=False, alternative="greater")
    return float(found.statistic), float(found.pvalue)


def count_owners(
    images: pd.DataFrame,
    verdicts: pd.DataFrame,
    scores: pd.DataFrame | None,
    settings: OwnerSettings,
) -> pd.DataFrame:
    """A `audit_owners` table: a row an owner in order of name, without the controls.

    Images that show the same are one image, and the test counts a caption once. A caption that an owner shares with a
    control says nothing and is left out.

    Parameters
    ----------
    images, verdicts : tables `audit_images`, `audit_verdicts`. scores : a row a caption, indexed by prompt_id, with the
    columns of `settings.scores`; None of a closed system, whose owners get no membership test.
    """
    table = images.merge(verdicts[["image", "verdict"]], on="image")
    of_control = set(table.loc[table["control"] & table["status"].eq("ok"), "prompt_id"])
    theirs = table[~table["control"]]
    records = []
    for owner, some in theirs.groupby("owner", sort=True):
        shown = some["image"].where(some["duplicate_of"].lt(0), some["duplicate_of"])
        once = some[~shown.duplicated()]
        told = once["verdict"].value_counts()
        tested = int(len(once) - told.get("not_tested", 0))
        back = int(told.get("given_back", 0))
        low, high = clopper_pearson(back, tested, settings.confidence)
        asked = set(some.loc[some["status"].eq("ok"), "prompt_id"])
        records.append(
            {
                "owner": owner, "images": len(once), "tested": tested, "given_back": back,
                "in_part": int(told.get("in_part", 0)), "share": back / tested if tested else NAN,
                "low": low, "high": high,
            }
            | _test(asked - of_control, of_control - asked, scores, settings)
        )  # fmt: skip
    out = pd.DataFrame(records, columns=[*_COLUMNS])
    out["q"] = benjamini_hochberg(out["p"].to_numpy(float))
    return out


_COLUMNS = (
    "owner", "images", "tested", "given_back", "in_part", "share", "low", "high", "controls",
    "statistic", "p", "note",
)  # fmt: skip


def _test(
    owner: set[int], controls: set[int], scores: pd.DataFrame | None, settings: OwnerSettings
) -> dict[str, Any]:
    """The membership test of one owner's captions, or why there is none."""
    if scores is None:
        note = "a closed system: its first step cannot be scored"
        return {"controls": 0, "statistic": NAN, "p": NAN, "note": note}
    known = scores[list(settings.scores)].dropna()
    of_owner, of_controls = (
        known[known.index.isin(list(keys))].to_numpy(float) for keys in (owner, controls)
    )
    out: dict[str, Any] = {"controls": len(of_controls), "statistic": NAN, "p": NAN, "note": ""}
    if not len(of_controls):
        out["note"] = "no controls: mark images that the model cannot have seen (control: yes)"
    elif len(of_owner) < settings.least:
        out["note"] = f"{len(of_owner)} captions, at least {settings.least} are needed"
    elif len(of_controls) < settings.least_controls:
        out["note"] = f"{len(of_controls)} controls, at least {settings.least_controls} are needed"
    else:
        out["statistic"], out["p"] = membership_test(of_owner, of_controls)
        if np.isnan(out["p"]):
            out["note"] = "all scores are equal"
    return out
