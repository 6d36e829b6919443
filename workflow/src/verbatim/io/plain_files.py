"""Text files that people and their programs write, line by line: encoding, line ends, delimiters.

Nothing is guessed where a guess could be wrong: an encoding without its mark, a comma that nobody quoted or a quote that
is never closed is an error that names the line, what was found and the cure. Lines are counted as an editor counts them.
"""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from verbatim.io.parquet_text import LONGEST_CELL, UserTableError
from verbatim.io.stand_ins import name_stand_in

MOST_FILE_BYTES = (
    2**30
)  # ASSUME: of a text file; a million captions are 1e8 bytes, and longer lists come as Parquet
LONGEST_LINE = 4 * LONGEST_CELL  # characters
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
# longest first: UTF-32's mark begins with UTF-16's
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
OTHER_KINDS = {
    b"PAR1": "a Parquet file: name it .parquet",
    b"PK\x03\x04": "a spreadsheet or zip archive: save it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save it as CSV in UTF-8",
    b"\x1f\x8b": "compressed: unpack it first",
    b"SQLite format 3": "a database: export the table as CSV",
}
CURE_UTF8 = "save it as UTF-8 (Excel: CSV UTF-8; LibreOffice: character set UTF-8)"


@dataclass
class Rows:
    """Cells of a text file.

    names : of the columns. cells : a list a row, as long as names. lines : where each row begins. what : the file's
    form in words, for messages.
    """

    names: list[str]
    cells: list[list[Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    what: str = ""


class LineSource:
    """The lines of a text file with their ends, counted from 1 in `number`.

    Line ends are LF, CR LF or CR. Raises UserTableError, naming the line, for what is no text.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, self.number = Path(path), 0
        self._ends = ""  # of the first line
        try:
            size = self.path.stat().st_size
            if not self.path.is_file():
                raise UserTableError(f"{path}: not a plain file; name a file")
            with open(self.path, "rb") as raw:
                start = raw.read(4096)
        except FileNotFoundError as err:
            raise UserTableError(f"{path}: no such file") from err
        except OSError as err:
            raise UserTableError(f"{path}: cannot be read ({err})") from err
        if size > MOST_FILE_BYTES:
            raise UserTableError(
                f"{path}: {size} bytes, more than {MOST_FILE_BYTES} for a text file; bring a Parquet file"
            )
        if stand_in := name_stand_in(start):
            raise UserTableError(f"{path}: this is {stand_in}")
        for mark, kind in OTHER_KINDS.items():
            if start.startswith(mark):
                raise UserTableError(f"{path}: this is {kind}")
        marked = next((name for mark, name in MARKS if start.startswith(mark)), "")
        if not marked and max(start[i::2].count(0) for i in (0, 1)) > len(start) // 4:
            raise UserTableError(f"{path}: this seems to be UTF-16 without its mark; {CURE_UTF8}")
        self.encoding = marked or "utf-8"

    def __iter__(self) -> Iterator[str]:
        with open(self.path, encoding=self.encoding, newline="") as file:
            while line := self._next(file):
                yield line

    def _next(self, file: TextIO) -> str:
        try:
            line = file.readline(LONGEST_LINE + 1)
        except UnicodeDecodeError as err:
            raise UserTableError(self._not_encoded(err)) from err
        except OSError as err:
            raise UserTableError(f"{self.path}: cannot be read ({err})") from err
        self.number += bool(line)
        if len(line) > LONGEST_LINE:
            raise UserTableError(
                f"{self.where()}: more than {LONGEST_LINE} characters in one line; that is no table of captions"
            )
        if "\0" in line:
            raise UserTableError(
                f"{self.where()}: a NUL character, which no text has; write the file again ({CURE_UTF8})"
            )
        if self.number == 1:
            self._ends = "\r" if line.endswith("\r") else "\n"
        return line

    def check_end(self, line: str) -> None:
        """Refuse a lone CR as a row's end where other lines end otherwise: it may be part of a text."""
        if line.endswith("\r") and self._ends == "\n":
            raise UserTableError(
                f"{self.where()}: a carriage return that ends no other line of this file; put the text that holds "
                "it in quotes, or take it out"
            )

    def where(self, number: int | None = None) -> str:
        """File and line, for a message."""
        return f"{self.path}, line {self.number if number is None else number}"

    def _not_encoded(self, err: UnicodeDecodeError) -> str:
        """Names the line, the byte and, of a Windows code page, how the line would read in it."""
        if self.encoding != "utf-8" and self.encoding != "utf-8-sig":
            return f"{self.path}: not the {self.encoding} that its mark says ({err}); {CURE_UTF8}"
        with open(self.path, "rb") as raw:
            for number, line in enumerate(_raw_lines(raw), 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError as found:
                    here = f"{self.where(number)}: byte {line[found.start]:#04x} is not UTF-8"
                    try:
                        near = line[max(0, found.start - 20) : found.start + 20]
                        seen = near.decode("cp1252").strip()
                    except UnicodeDecodeError:
                        return f"{here}; {CURE_UTF8}"
                    return f"{here}; in cp1252 (Windows) it reads {seen!r}; {CURE_UTF8}"
        return f"{self.path}: not UTF-8 ({err}); {CURE_UTF8}"


def _raw_lines(file: Any) -> Iterator[bytes]:
    """Lines of bytes as an editor counts them: CR LF, LF or CR ends one."""
    for chunk in file:
        yield from chunk.splitlines()


def read_lines(path: str | os.PathLike, name: str) -> Rows:
    """A text file with one text a line, as one column; empty lines are none."""
    source, rows = LineSource(path), Rows([name], what="one text a line")
    for line in source:
        source.check_end(line)
        text = line.rstrip("\r\n")
        if text.strip():
            rows.cells.append([text])
            rows.lines.append(source.number)
    return rows


def read_delimited(
    path: str | os.PathLike,
    known: Sequence[str],
    comments: bool = False,
    only_header: bool = False,
) -> Rows:
    """A table with a header whose cells a comma, semicolon, tab or vertical bar parts, quoted as in RFC 4180.

    Which delimiter it is, is told from the header: the one that finds the most names of `known`, then the most names.
    An empty line is no row. Cells are as written; nothing is stripped.

    Parameters
    ----------
    known
        Names that are looked for, small letters.
    comments
        Lines that begin with # are left out. A # elsewhere is part of a cell.
    only_header
        Read no rows.

    Raises
    ------
    UserTableError
        Naming file, line, what was found and the cure: no header; a row with more or fewer cells (empty ones at the end of
        every row, which spreadsheets write, are no cells); a quote that is not closed or is followed by text.
    """
    source = LineSource(path)
    feed = _Feed(source, comments)
    header = feed.peek_header()
    if header is None:
        raise UserTableError(f"{path}: it is empty; a header line with names of columns is needed")
    delimiter = _delimiter(header, known, Path(path).suffix.lower())
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    names: list[str] | None = None
    rows = Rows([], what=f"{DELIMITERS.get(delimiter, delimiter)}-separated")
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        while True:
            feed.begin()
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as err:
                raise UserTableError(
                    f"{source.where(feed.start)}: {err} ({rows.what}); a cell that holds a quote, a "
                    'line break or the delimiter stands in quotes, with every quote inside written twice: "a ""red"" heart"'
                ) from err
            source.check_end(feed.line)
            blank = len(cells) == 1 and len(names or ()) > 1 and not cells[0].strip()
            if not cells or blank:
                continue
            if names is None:
                names = [name.strip() for name in cells]
                if only_header:
                    break
            else:
                rows.cells.append(cells)
                rows.lines.append(feed.start)
    finally:
        csv.field_size_limit(limit)
    assert names is not None
    rows.names = names
    _check_widths(rows, source, delimiter)
    return rows


class _Feed:
    """Lines for csv.reader, which asks for one at a time: knows where a row began, and leaves comments out there."""

    def __init__(self, source: LineSource, comments: bool):
        self._source, self._lines, self._comments = source, iter(source), comments
        self._held: str | None = None
        self._at_start = True
        self.start, self.line = 0, ""

    def peek_header(self) -> str | None:
        """The first line that is no comment, not empty and no `sep=;`, which stays the next one."""
        for line in self._lines:
            told = line.strip().lower()
            if told.startswith("sep=") and len(told) <= 5 and self._source.number == 1:
                continue  # Excel's way to name the delimiter
            if line.strip() and not self._is_comment(line):
                self._held = line
                return line
        return None

    def _is_comment(self, line: str) -> bool:
        return self._comments and line.startswith("#")

    def begin(self) -> None:
        """The next line begins a row."""
        self._at_start = True

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        while True:
            line = self._held if self._held is not None else next(self._lines)
            self._held = None
            if self._at_start and self._is_comment(line):
                continue
            if self._at_start:
                self.start, self._at_start = self._source.number, False
            self.line = line
            return line


def _delimiter(header: str, known: Sequence[str], suffix: str) -> str:
    def found(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([header.rstrip("\r\n")], delimiter=delimiter))
        except csv.Error:
            return 0, 0
        words = {cell.strip().lower() for cell in cells}
        return len(words & set(known)), len([cell for cell in cells if cell.strip()])

    usual = "\t" if suffix in (".tsv", ".tab") else ","
    order = [usual, *(one for one in DELIMITERS if one != usual)]
    return max(order, key=found)  # the first of equally good ones


def _check_widths(rows: Rows, source: LineSource, delimiter: str) -> None:
    """Hold every row to the header's cells; take empty cells at the end of every row away."""
    names, word = rows.names, DELIMITERS.get(delimiter, delimiter)
    empty = 0  # columns of a spreadsheet without a name
    while names and not names[-1]:
        names.pop()
        empty += 1
    width = len(names)
    surplus = {len(cells) - width for cells in rows.cells}
    filled = [any(cell.strip() for cell in cells[width:]) for cells in rows.cells]
    # in prose a space follows a comma; no spreadsheet writes one: then a cell was cut at a comma
    spaced = [
        len(cells) > width and any(cell[:1].isspace() for cell in cells[1:width])
        for cells in rows.cells
    ]
    even = len(surplus) == 1 and min(surplus) > 0 and not any(filled)
    if surplus <= {0} or (even and (surplus == {empty} or not any(spaced))):
        for cells in rows.cells:
            del cells[width:]
        return
    odd = [i for i, cells in enumerate(rows.cells) if len(cells) != width]
    first = next((i for i in odd if filled[i] or spaced[i]), odd[0])
    cells, more = rows.cells[first], len(odd) - 1
    why = (
        f'a {word} inside a cell must stand in quotes: "a red heart{delimiter} blue"'
        if len(cells) > width and word != "tab"
        else "every row needs a cell for each column, empty or not"
    )
    raise UserTableError(
        f"{source.where(rows.lines[first])}: {len(cells)} cells ({_shown(cells)}), but the header has {width} "
        f"({_shown(names)}), {rows.what}{f'; {more} more such lines' if more else ''}; {why}"
    )


def _shown(cells: Sequence[str]) -> str:
    text = ", ".join(repr(cell if len(cell) <= 40 else cell[:39] + "…") for cell in cells[:8])
    return text + (f" and {len(cells) - 8} more" if len(cells) > 8 else "")
