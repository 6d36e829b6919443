"""Matched negatives share the template, or the subject, and are never the positive itself."""

from verbatim.inputs.matched_negatives import match_subjects, match_templates, unlisted_captions

CARPET = "Shaw Floors Couture Collection {} 00{}"


def test_the_pool_lacks_what_the_set_has_in_other_words_order_and_repetition():
    pool = ["Red sky!", "sky, red", "blue sky", "Blue Sky", "?"]
    assert unlisted_captions(pool, ["RED SKY"]) == ["blue sky"]


def test_a_negative_of_the_same_template_has_an_item_that_no_positive_of_the_family_has():
    positives = [CARPET.format("Sahara", 1), CARPET.format("Pewter", 2), "Watch The Lantern"]
    pool = [
        "a dog on a beach",
        CARPET.format("Sahara", 2),  # an item of the family
        CARPET.format("Sahara", 1) + " Rug",  # the positive itself, and a word
        CARPET.format("Cobalt", 7),
    ]
    found = match_templates(positives, pool, 0.5)
    assert found[["positive", "negative"]].to_numpy().tolist() == [[0, 3]]
    assert 0.5 <= found["overlap"][0] < 1


def test_every_positive_and_every_caption_of_the_pool_is_matched_once():
    positives = [CARPET.format(f"c{i}", i) for i in range(4)]
    pool = [CARPET.format(f"d{i}", i) for i in range(3)]
    found = match_templates(positives, pool, 0.5)
    assert sorted(found["negative"]) == [0, 1, 2]
    assert found["positive"].is_unique
    assert found["overlap"].is_monotonic_decreasing


def test_a_negative_of_the_same_subject_has_its_rarest_words_and_about_its_length():
    positives = ["the old brass telescope of the harbour master"]
    pool = [
        "the dog of the man of the house",  # common words alone
        "telescope",  # too short
        "an antique telescope made of brass and wood",
        "the old brass telescope of a harbour master",  # a near-duplicate
    ]
    found = match_subjects(positives, pool, 0.5, 0.25)
    assert found[["positive", "negative"]].to_numpy().tolist() == [[0, 2]]
    assert 0 < found["overlap"][0] < 0.5


def test_two_positives_never_get_the_same_negative():
    positives = ["brass telescope on a hill", "brass telescope by night"]
    pool = ["a broken telescope made of brass", "two men and a telescope"]
    found = match_subjects(positives, pool, 0.5, 1.0)
    assert found["negative"].tolist() == [0, 1]


def test_a_subject_that_the_pool_does_not_have_stays_unmatched():
    assert match_subjects(["brass telescope"], ["green apple"], 0.5, 1.0).empty
    assert match_subjects(["!"], ["?"], 0.5, 1.0).empty
    assert match_subjects(["brass telescope"], [], 0.5, 1.0).empty
    assert match_templates(["brass telescope"], [], 0.5).empty
