"""Tokenizers that load as the public models' own, and that encode any caption."""

import filecmp
from itertools import pairwise

import pytest

from verbatim.world.tokenizers import build_clip_tokenizer, build_t5_tokenizer, learn_merges

CAPTIONS = [
    "woman running medium skin tone",
    "flag: Åland Islands",
    "red bread",
    "red heart",
    "o’clock 3",
]
BUILDERS = pytest.mark.parametrize("build", [build_clip_tokenizer, build_t5_tokenizer])


@BUILDERS
def test_a_saved_tokenizer_loads_and_encodes_the_same(build, tmp_path):
    tokenizer = build(CAPTIONS, tmp_path, max_length=12)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert again.model_max_length == 12
    assert len(again) == len(tokenizer)
    for caption in [*CAPTIONS, "", "Zebra 日本 😀 don't", "word " * 40]:
        ids = [
            t(caption, padding="max_length", max_length=12, truncation=True).input_ids
            for t in (tokenizer, again)
        ]
        assert ids[0] == ids[1]
        assert len(ids[0]) == 12
        assert max(ids[0]) < len(tokenizer)


@BUILDERS
def test_known_words_are_one_token_each_and_unknown_ones_are_spelled(build, tmp_path):
    tokenizer = build(CAPTIONS, tmp_path)
    marks = len(tokenizer("").input_ids)
    assert len(tokenizer("woman running red bread").input_ids) == marks + 4
    assert len(tokenizer("zebra").input_ids) > marks + 2
    assert tokenizer("zebra").input_ids != tokenizer("zebu").input_ids


@BUILDERS
def test_the_same_captions_in_any_order_give_the_same_files(build, tmp_path):
    build(CAPTIONS, tmp_path / "a")
    build(CAPTIONS[::-1], tmp_path / "b")
    names = ["tokenizer.json", "tokenizer_config.json"]
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)[0] == names


def test_clip_puts_its_marks_around_a_caption_and_pads_with_the_end(tmp_path):
    tokenizer = build_clip_tokenizer(CAPTIONS, tmp_path, max_length=8)
    ids = tokenizer("red heart", padding="max_length", max_length=8, truncation=True).input_ids
    end = tokenizer.eos_token_id
    assert end == len(tokenizer) - 1  # the highest id, as CLIP's pooling expects
    assert ids[0] == tokenizer.bos_token_id
    assert ids[3:] == [end] * 5


def test_t5_has_its_marks_where_t5_has_them(tmp_path):
    tokenizer = build_t5_tokenizer(CAPTIONS, tmp_path)
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "</s>", "<unk>"]


def naive_merges(words):
    """Sennrich et al. 2016, algorithm 1: all pairs counted anew for every merge."""
    spelled = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges = []
    while True:
        pairs = {}
        for word, symbols in spelled.items():
            for pair in pairwise(symbols):
                pairs[pair] = pairs.get(pair, 0) + words[word]
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word, symbols in spelled.items():
            out = []
            for symbol in symbols:
                if out and (out[-1], symbol) == best:
                    out[-1] += symbol
                else:
                    out.append(symbol)
            spelled[word] = out


def test_merges_equal_a_count_made_anew_for_every_merge_whatever_the_order():
    words = {"aaaa": 3, "banana": 2, "bandana": 2, "ban": 5, "an": 1, "nana": 4, "x": 9}
    expected = naive_merges(words)
    assert learn_merges(words) == expected
    assert learn_merges(dict(reversed(words.items()))) == expected
