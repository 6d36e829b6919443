"""Published sets are read in the layouts that their authors wrote them in."""

from dataclasses import replace

import made_sets
import pytest
from made_sets import headlines, sentences, side

from verbatim.inputs.prompt_sets import (
    COLUMNS,
    PromptSetError,
    SetSettings,
    build_set,
    build_sets,
    image_keys,
    read_side,
)
from verbatim.io.keys import prompt_id
from verbatim.io.records import SCHEMAS, read_table, write_table

SETTINGS = SetSettings(1, 200, 0.5, 0.5, 0.25, 1000, 0)
AWKWARD = ['Watch: "Lifted Up (1985)"; a <i>Café</i>, live', "<em>Here's</em> 50% / 2"]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("wen.jsonl", made_sets.write_wen),
        ("sail.jsonl", lambda path, some: made_sets.write_sail(path, some, ["TV"] * len(some))),
        ("nemo.csv", lambda path, some: made_sets.write_nemo(path, some, ["VM"] * len(some))),
        ("unmemorized.csv", made_sets.write_nemo),
        ("memattn.txt", made_sets.write_lines),
        (
            "membench.csv",
            lambda path, some: made_sets.write_membench(path, some, [["a", "b"]] * len(some)),
        ),
        ("webster.parquet", lambda path, some: made_sets.write_webster(path, some, ["MV"] * len(some))),
        ("gustavosta.parquet", made_sets.write_gustavosta),
        ("diffusiondb.parquet", made_sets.write_diffusiondb),
    ],
)  # fmt: skip
def test_a_published_layout_gives_back_every_prompt_as_it_is(tmp_path, name, write):
    captions = [*headlines(), *AWKWARD]
    found = read_side("prompt_sets", side(write(tmp_path / name, captions)), SETTINGS)
    assert found["caption"].tolist() == captions
    assert set(found["status"]) == {"ok"}


def test_rows_of_a_type_are_taken_alone(tmp_path):
    captions, types = headlines(6), ["VM", "TM", "VM", "TM", "TM", "TM"]
    for file in (
        made_sets.write_nemo(tmp_path / "nemo.csv", captions, types),
        made_sets.write_sail(tmp_path / "sail.jsonl", captions, types),
        made_sets.write_webster(tmp_path / "labels.parquet", captions, types),
    ):
        found = read_side("x", side(file, types=["VM"]), SETTINGS)
        assert found["caption"].tolist() == [captions[0], captions[2]]
        assert set(found["type"]) == {"VM"}
        with pytest.raises(
            PromptSetError, match=r"types is \['MV'\].*only the types \['TM', 'VM'\]"
        ):
            read_side("x", side(file, types=["MV"]), SETTINGS)


def test_a_list_without_types_is_refused_where_a_type_is_asked_for(tmp_path):
    file = made_sets.write_lines(tmp_path / "list.txt", headlines())
    with pytest.raises(PromptSetError, match=r"x\.types is \['VM'\].*one prompt a line and no types; empty it"):  # fmt: skip
        read_side("x", side(file, types=["VM"]), SETTINGS)


def test_a_part_of_a_file_is_taken_by_its_rows(tmp_path):
    captions = sentences(20)
    file = made_sets.write_lines(tmp_path / "negatives.txt", captions)
    found = read_side("x", side(file, rows=[5, 8]), SETTINGS)
    assert found["caption"].tolist() == captions[5:8]
    assert found["place"].tolist() == [6, 7, 8]  # lines, as an editor counts
    with pytest.raises(
        PromptSetError, match=r"has 20 prompts, and none of them is in rows \[20, 30\]"
    ):
        read_side("x", side(file, rows=[20, 30]), SETTINGS)


def test_a_repeated_text_and_one_without_text_are_recorded_and_the_rest_goes_on(tmp_path):
    file = made_sets.write_nemo(tmp_path / "nemo.csv", ["A B", "A B", " ", "c" * 201, "d"])
    found = read_side("x", side(file), SETTINGS)
    assert found["status"].tolist() == ["ok", "repeated", "unusable", "unusable", "ok"]
    assert found["reason"].str.len().gt(0).tolist() == [False, True, True, True, False]
    assert found["place"].tolist() == [2, 3, 4, 5, 6]


def test_a_file_whose_prompts_are_mostly_unusable_ends_the_job(tmp_path):
    file = made_sets.write_nemo(tmp_path / "nemo.csv", ["", "", "a"])
    with pytest.raises(
        PromptSetError, match=r"x: 2 of 3 prompts of .*nemo\.csv cannot be used.*line or row 2"
    ):
        read_side("x", side(file), SETTINGS)
    assert len(read_side("x", side(file), replace(SETTINGS, most_missing=1.0))) == 3


def test_a_file_that_is_no_set_is_refused_with_its_key_and_the_document(tmp_path):
    file = tmp_path / "names.csv"
    file.write_text("name,url\na,b\n")
    with pytest.raises(
        PromptSetError, match=r"x\.files: .*no column caption or prompt or text.*prompt_sets\.md"
    ):
        read_side("x", side(file), SETTINGS)
    with pytest.raises(PromptSetError, match="no such file"):
        read_side("x", side(tmp_path / "none.txt"), SETTINGS)


def test_images_are_read_from_a_list_as_python_writes_it_and_nothing_is_run():
    assert image_keys("https://x/a,b.jpg") == ("https://x/a,b.jpg",)
    assert image_keys("['https://x/a.jpg', 'https://x/b.jpg', 'https://x/a.jpg']") == (
        "https://x/a.jpg",
        "https://x/b.jpg",
    )
    assert image_keys("") == image_keys("[]") == ()
    for text in ("[__import__('os').getcwd()]", "[" * 5000, "[1, 2]"):
        assert image_keys(text) == (text,)


def test_a_set_has_both_sides_and_a_text_on_both_is_in_no_comparison(tmp_path):
    positives, negatives = headlines(6), [*sentences(5), headlines(6)[0]]
    block = {
        "positives": side(made_sets.write_wen(tmp_path / "p.jsonl", positives)),
        "negatives": side(made_sets.write_lines(tmp_path / "n.txt", negatives)),
    }
    table = build_set("wen", block, SETTINGS)
    assert list(table.columns) == list(COLUMNS) == SCHEMAS["prompt_sets"].names
    assert table.groupby(["side", "status"]).size().to_dict() == {
        ("negative", "both"): 1, ("negative", "ok"): 5, ("positive", "both"): 1, ("positive", "ok"): 5,
    }  # fmt: skip
    assert table["prompt_id"].tolist() == [prompt_id(c) for c in [*positives, *negatives]]
    assert table["images"][1] == made_sets.url_of(1)
    write_table(tmp_path / "sets.parquet", "prompt_sets", table)
    assert read_table(tmp_path / "sets.parquet", "prompt_sets")["caption"].tolist() == table["caption"].tolist()  # fmt: skip


def test_a_set_whose_sides_are_one_list_has_no_positive_left(tmp_path):
    both = side(made_sets.write_lines(tmp_path / "p.txt", headlines()))
    with pytest.raises(PromptSetError, match=r"sets\.x: no positive is left"):
        build_set("x", {"positives": both, "negatives": both}, SETTINGS)


def test_negatives_are_matched_from_a_pool_of_captions(tmp_path):
    pool = ["Shaw Floors Couture Collection Ultimate Expression Emerald 09999", "Attend Orchard's Trailer Tonight, Finally",
            headlines()[0], *sentences(40)]  # fmt: skip
    block = {
        "positives": side(made_sets.write_lines(tmp_path / "p.txt", headlines())),
        "pool": side(made_sets.write_gustavosta(tmp_path / "pool.parquet", pool)),
    }
    table = build_set("x", block, SETTINGS)
    matched = table[table["match"].ge(0)]
    template = matched[matched["source"].eq("same_template")]
    assert template["caption"].tolist() == [pool[0]]
    assert template["match"].isin(table.loc[table["side"].eq("positive"), "prompt_id"]).all()
    assert headlines()[0] not in set(matched["caption"])
    assert set(matched["side"]) == {"negative"}
    subject = matched[matched["source"].eq("same_subject")]
    assert pool[1] in set(subject["caption"])
    assert matched["overlap"].between(0, 1).all()


def test_a_large_pool_is_drawn_from_with_the_seed(tmp_path):
    block = {
        "positives": side(made_sets.write_lines(tmp_path / "p.txt", sentences(8))),
        "pool": side(made_sets.write_lines(tmp_path / "q.txt", [f"{c} now {i}" for i, c in enumerate(sentences(64))])),
    }  # fmt: skip
    few = replace(SETTINGS, most_pool=6)
    one, same, other = (
        build_set("x", block, one).loc[lambda t: t["match"].ge(0), "caption"].tolist()
        for one in (few, few, replace(few, seed=1))
    )
    assert one == same != other
    assert len(one) <= 12


def test_no_set_at_all_is_refused_with_the_key():
    with pytest.raises(PromptSetError, match=r"prompt_sets\.sets is empty; name the files"):
        build_sets({}, SETTINGS)
