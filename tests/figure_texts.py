"""What a figure says, to be read by a test."""

import matplotlib.pyplot as plt


def texts(figure):
    """Every text of a figure that is not empty, one by one."""
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_text()]


def whole_text(figure):
    """The same in one line, to find a part of it."""
    return " ".join(texts(figure))
