import pandas as pd
from made_results import make_labels, make_truth, rows_of

from verbatim.io.records import prompt_id
from verbatim.tables.truth import judge, list_captions, list_prompts


def test_each_caption_and_image_is_one_pair_without_those_kept_for_finetuning():
    truth = make_truth()
    pairs = list_captions(truth)
    wanted = {(row.caption, row.image_id) for row in truth.itertuples() if row.kind != "finetune_0"}
    assert {(row.caption, row.image_id) for row in pairs.itertuples()} == wanted
    assert len(pairs) == len(wanted)
    assert all(row.prompt_id == prompt_id(row.caption) for row in pairs.itertuples())


def test_repeated_captions_are_one_unit_and_template_members_one_group():
    pairs = list_captions(make_truth())
    units = pairs.groupby("kind")["unit"].nunique()
    assert units["repeated"] == 1
    assert units["template"] == 2
    assert units["image_only"] == 1
    assert set(pairs.loc[pairs["kind"] == "template", "group"]) == {"carpets"}
    assert pairs.loc[pairs["kind"] == "repeated", "group"].nunique() == 1


def test_a_caption_of_two_kinds_has_the_planted_one():
    truth = make_truth()
    truth.loc[truth["caption"] == "lone thing 0", "caption"] = "planted thing 0"
    prompts = list_prompts(truth)
    assert prompts.loc[prompts["caption"] == "planted thing 0", "kind"].tolist() == ["full"]


def judged(copies, **more):
    truth = make_truth()
    table = judge(
        make_labels(truth, {k: (v[0], rows_of(truth, v[1])[0]) for k, v in copies.items()}, **more),
        truth,
    )
    return table.set_index(table["prompt_id"])


def test_only_the_image_of_the_very_caption_is_its_own():
    table = judged({"planted thing 0": ("MV", "planted thing 0"), "planted thing 1": ("MV", "planted thing 0"),
                    "carpet in colour 0": ("TV", "carpet in colour 1"),
                    "one image, name 0": ("RV", "one image, name 1")})  # fmt: skip
    of = {name: table.loc[prompt_id(name)] for name in
          ("planted thing 0", "planted thing 1", "carpet in colour 0", "one image, name 0")}  # fmt: skip
    assert [bool(one["own"]) for one in of.values()] == [True, False, False, True]
    assert [bool(one["own_family"]) for one in of.values()] == [True, False, True, True]
    assert [bool(one["mv"]) for one in of.values()] == [True, False, False, False]
    assert [int(one["source_copies"]) for one in of.values()] == [3, 3, 2, 2]


def test_what_was_set_aside_is_neither_copied_nor_drawn():
    one = judged({"planted thing 0": ("MV", "planted thing 0")}, review=("planted thing 0",)).loc[
        prompt_id("planted thing 0")
    ]
    assert one["verdict"] == "review"
    assert not one["copied"]
    assert not one["mv"]
    assert one["source_image"] == -1


def test_prompts_that_were_not_planted_own_nothing():
    truth = make_truth()
    labels = make_labels(truth, {"planted thing 0": ("MV", 0)}).head(1)
    stranger = labels.assign(prompt_id=prompt_id("a stranger"), caption="a stranger")
    table = judge(pd.concat([labels, stranger]), truth)
    assert table["own"].tolist() == [True, False]
    assert table["copied"].all()
