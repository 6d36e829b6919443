import numpy as np
import pandas as pd

from verbatim.tables.text import csv_text


def test_csv_has_six_digits_and_empty_cells_for_what_is_unknown():
    assert csv_text(pd.DataFrame({"a": [1 / 3, np.nan]})) == 'a\n0.333333\n""\n'
