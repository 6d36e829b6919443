"""The words that a search for triggers may propose: those that a checkpoint brings along, in its own tokenizer.

MemBench (Hong et al. 2024) lets a masked language model propose words. Here they are the tokens that are a word each: whoever
holds the checkpoint has this list, and no caption of the training set is needed.
"""

from __future__ import annotations

from typing import Any

from verbatim.detectors.token_attribution import END_OF_WORD


class WordsError(ValueError):
    """A tokenizer has too few words to search in; the message says which kind of tokenizer is needed."""


def list_words(tokenizer: Any, letters: int) -> list[str]:
    """Words that are one token, in alphabetical order.

    Parameters
    ----------
    tokenizer : a byte-level tokenizer whose tokens mark the end of a word, as CLIP's.
    letters : least number of letters of a word; a word has no other characters.

    Raises
    ------
    WordsError : fewer than two words.
    """
    ends = {
        token: key for token, key in tokenizer.get_vocab().items() if token.endswith(END_OF_WORD)
    }
    texts = {key: tokenizer.decode([key]).strip() for key in ends.values()}
    likely = sorted(
        (text, key) for key, text in texts.items() if text.isalpha() and len(text) >= letters
    )
    encoded = (
        tokenizer([text for text, _ in likely], add_special_tokens=False).input_ids
        if likely
        else []
    )
    # another split, or another case, is not this token
    words = [text for (text, key), ids in zip(likely, encoded, strict=True) if list(ids) == [key]]
    if len(words) < 2:
        raise WordsError(
            f"the tokenizer has {len(words)} words of one token with at least {letters} letters; a search for triggers needs a CLIP "
            f"tokenizer, whose words end in {END_OF_WORD} (families sd and sdxl), and detectors.triggers.letters that it has"
        )
    return words
