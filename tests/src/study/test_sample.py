import pandas as pd

from verbatim.study.sample import in_sample, sample_similarities


def test_the_sample_is_one_image_a_caption_by_every_descriptor():
    generations = pd.DataFrame({"generation": [0, 1, 2, 3], "kind": ["one", "more", "one", "more"]})
    rows = [(g, name) for name in ("clip", "pixels") for g in (3, 2, 1, 0)]
    similarities = pd.DataFrame(rows, columns=["generation", "descriptor"])
    assert in_sample(generations).tolist() == [True, False, True, False]
    found = sample_similarities(similarities, generations)
    assert found.values.tolist() == [[2, "clip"], [0, "clip"], [2, "pixels"], [0, "pixels"]]
    assert sample_similarities(similarities, generations.iloc[:0]).empty
