import numpy as np

from verbatim.tables.statistics import split_groups


def test_groups_are_never_split_and_both_classes_reach_every_part():
    groups = np.repeat(np.arange(40), 3)
    positive = groups < 12
    part = split_groups(groups, positive, 4, 0)
    assert all(len(set(part[groups == g])) == 1 for g in range(40))
    assert [int((part[positive] == p).sum()) for p in range(4)] == [9, 9, 9, 9]
    order = np.random.default_rng(0).permutation(len(groups))
    assert (split_groups(groups[order], positive[order], 4, 0) == part[order]).all()
