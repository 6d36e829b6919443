"""CSV, TSV and text files as spreadsheets, pandas and people write them: read whole, or refused by line with the cure."""

from __future__ import annotations

import csv
import io
import os
import tracemalloc

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.io.plain_files import LONGEST_LINE
from verbatim.io.user_tables import CAPTIONS, UserTableError, read_user_table

URL = "https://x.invalid/"


def read(folder, content, name="a.csv", **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_user_table(path, CAPTIONS, ["caption"], **options)


def refusal(folder, content, name="a.csv") -> str:
    with pytest.raises(UserTableError) as err:
        read(folder, content, name)
    assert name in str(err.value)
    return str(err.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("caption\na red heart, blue\n", 2, ["2 cells", "header has 1", "comma-separated", "in quotes"]),
        ("caption\ntwo cats\n\na red heart, blue\n", 4, ["2 cells", "' blue'"]),
        (f"caption,url\nred, blue,{URL}1\ncats, asleep,{URL}2\n", 2, ["3 cells", "1 more such line"]),
        (f"url,caption\n{URL}1,cats\n{URL}2,a red heart, blue\n", 3, ["3 cells", "header has 2"]),
        ("caption;url\ncats; asleep;u\n", 2, ["3 cells", "semicolon-separated", "red heart; blue"]),
        ("caption\turl\ncats\tasleep\tu\n", 2, ["3 cells", "tab-separated"]),
        ("caption,url\ncats\n", 2, ["1 cells", "a cell for each column"]),
        ('caption,url\n"two\nlines",u\ncats, asleep,u\n', 4, ["3 cells"]),
        ("caption,url\nred, blue,\ncats, asleep,\n", 2, ["3 cells"]),  # not what a spreadsheet leaves
        (f"caption,url\nred, blue,\ncats,{URL}2\n", 2, ["3 cells"]),
        (f"caption,url\nred,blue,\ncats,{URL}2\n", 2, ["3 cells"]),
        ('caption,url\n"red" heart,u\n', 2, ["expected after", "written twice"]),
        ('caption,url\n"red heart,u\ncats,u\n', 2, ["unexpected end of data", "stands in quotes"]),
    ],
)  # fmt: skip
def test_a_row_with_other_cells_than_the_header_is_refused_by_its_line(tmp_path, text, line, words):
    said = refusal(tmp_path, text)
    for word in (f"line {line}:", *words):
        assert word in said


@pytest.mark.parametrize("extra", [1, 3])
@pytest.mark.parametrize("header", [False, True])
def test_the_empty_cells_that_a_spreadsheet_leaves_at_every_rows_end_are_no_cells(
    tmp_path, extra, header
):
    rows = [["red heart", f"{URL}1"], ["a cat, asleep", ""]]
    names = ["caption", "url"] + [""] * extra * header
    out = io.StringIO()
    csv.writer(out).writerows([names, *(row + [""] * extra for row in rows)])
    assert read(tmp_path, out.getvalue()).frame.to_numpy().tolist() == rows


def test_a_filled_cell_under_no_column_is_refused(tmp_path):
    said = refusal(tmp_path, "caption,url,\nred,u,\ncats,u,x\n")
    assert "line 3: 3 cells" in said


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(tmp_path, delimiter):
    frame = pd.DataFrame({"id": ["7", "8"], "Text": ["a, b; c|d\te", "x"], "URL": ["u", ""]})
    frame.to_csv(tmp_path / "a.csv", sep=delimiter, index=False)
    table = read_user_table(tmp_path / "a.csv", CAPTIONS, ["caption"])
    assert table.frame["caption"].tolist() == ["a, b; c|d\te", "x"]
    assert table.names == ("id", "Text", "URL")


def test_excels_line_that_names_the_delimiter_is_no_header(tmp_path):
    table = read(tmp_path, "sep=;\r\ncaption;url\r\na, b;u\r\n")
    assert table.frame.to_dict("list") == {"caption": ["a, b"], "url": ["u"]}
    assert table.where(0).endswith("line 3")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le-mark", "utf-16-be-mark"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marked_encodings_and_line_ends_are_those_of_the_file(tmp_path, encoding, end):
    text = end.join(["caption\turl", "ein Herz, größer 🐼\tu", '"zwei' + end + 'Zeilen"\t', ""])
    plain = encoding.removesuffix("-mark")
    mark = "\ufeff" if plain != encoding else ""
    (tmp_path / "a.tsv").write_bytes((mark + text).encode(plain))
    table = read_user_table(tmp_path / "a.tsv", CAPTIONS, ["caption"])
    assert table.frame["caption"].tolist() == ["ein Herz, größer 🐼", f"zwei{end}Zeilen"]
    assert [table.where(i).rpartition(" ")[2] for i in (0, 1)] == ["2", "3"]


def test_unicode_text_of_a_spreadsheet_is_a_table_and_any_other_txt_a_text_a_line(tmp_path):
    (tmp_path / "a.txt").write_text("caption\turl\r\nred, blue\tu\r\n", encoding="utf-16")
    table = read_user_table(tmp_path / "a.txt", CAPTIONS, ["caption"], lines_of="caption")
    assert table.frame.to_numpy().tolist() == [["red, blue", "u"]]
    table = read(tmp_path, "# red\t1, blue\r\n\r\n spaces \r\n", "b.txt", lines_of="caption")
    assert table.frame["caption"].tolist() == ["# red\t1, blue", " spaces "]
    assert table.where(1).endswith("line 3")


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("caption\ncats\ngrößer\n".encode("cp1252"), "a.csv", ["line 3", "0xf6", "cp1252", "größer", "CSV UTF-8"]),
        ("caption\r\ngrößer\r\n".encode("utf-16-le"), "a.csv", ["UTF-16 without its mark"]),
        (b"caption\nc\0t\n", "a.csv", ["line 2", "NUL"]),
        (b"", "a.csv", ["it is empty"]),
        (b"\n \n", "a.csv", ["it is empty"]),
        (b"\xef\xbb\xbf", "a.csv", ["it is empty"]),
        (b"caption,Caption,url\na,b,c\n", "a.csv", ["'caption', 'Caption'", "mean the same"]),
        (b"title,url\na,b\n", "a.csv", ["no column caption or prompt or text", "title, url", "comma-separated"]),
        (b"PAR1x", "a.csv", ["Parquet", ".parquet"]),
        (b"PK\x03\x04x", "a.csv", ["spreadsheet", "CSV"]),
        (b"\x1f\x8bx", "a.csv", ["unpack"]),
        (b"caption\ncats\n", "a.xlsx", ["its name must end in one of", ".csv"]),
        (b"caption\na\rb\nc\n", "a.csv", ["line 2", "carriage return"]),
        (b"x" * (LONGEST_LINE + 1), "a.csv", ["line 1", "characters in one line"]),
        (b'caption\n"' + b"x\n" * 2**20 + b'"\n', "a.csv", ["line 2", "field larger"]),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused_with_what_it_is(tmp_path, content, name, words):
    said = refusal(tmp_path, content, name)
    for word in words:
        assert word in said


def test_a_line_of_a_hundred_megabytes_is_refused_without_being_held(tmp_path):
    with open(tmp_path / "a.csv", "wb") as file:
        file.write(b"caption\n")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(UserTableError, match=r"line 2: more than .* characters in one line"):
            read_user_table(tmp_path / "a.csv", CAPTIONS, ["caption"])
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_a_pipe_or_folder_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("pipe", "not a plain file"),
        ("folder", "not a plain file"),
        ("none", "no such"),
    ):
        with pytest.raises(UserTableError, match=words):
            read_user_table(tmp_path / f"{name}.csv", CAPTIONS, ["caption"])


def test_a_file_with_a_header_alone_has_no_rows(tmp_path):
    table = read(tmp_path, "caption,url")
    assert len(table.frame) == 0
    assert list(table.frame) == ["caption", "url"]


def test_comments_are_whole_lines_and_count_as_lines(tmp_path):
    text = '# first\nmodel\tname\n#"quoted\tx\nsd1\tSD #2\n\n# last\nsd2\t#x\n'
    (tmp_path / "a.tsv").write_text(text)
    table = read_user_table(tmp_path / "a.tsv", comments=True)
    assert table.frame.to_dict("list") == {"model": ["sd1", "sd2"], "name": ["SD #2", "#x"]}
    assert [table.where(i).rpartition(" ")[2] for i in (0, 1)] == ["4", "7"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
PRINTED = TEXT.filter(lambda text: "\r" not in text)  # pandas leaves a lone CR without quotes


@examples(150)
@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\r\n", "\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows, delimiter, end, quoting):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerows([("caption", "url"), *rows])
    table = read_user_table(path, CAPTIONS, ["caption"])
    assert [tuple(row) for row in table.frame.to_numpy()] == rows


@examples(150)
@given(
    st.lists(st.tuples(PRINTED, PRINTED), min_size=1),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_pandas_writes_is_read_back(tmp_path_factory, rows, encoding):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    pd.DataFrame(rows, columns=["caption", "url"]).to_csv(path, index=False, encoding=encoding)
    table = read_user_table(path, CAPTIONS, ["caption"])
    assert [tuple(row) for row in table.frame.to_numpy()] == rows


@examples(150)
@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(st.lists(TEXT, max_size=4), max_size=5))
def test_rows_are_read_cell_by_cell_or_refused_and_never_shifted(tmp_path_factory, header, rows):
    """Whatever the widths: a table that is read has the cells that were written, and every row its own."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    names = ["caption", *(f"c{i}" for i in range(1, len(header)))]
    if len(names) > 1:  # a line with nothing on it is no row
        rows = [row for row in rows if len(row) != 1 or row[0].strip()]
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    if any(cell for row in rows for cell in row[len(names) :]):
        with pytest.raises(UserTableError):
            read_user_table(path)
        return
    try:
        table = read_user_table(path)
    except UserTableError:
        table = None
    if table is None:
        assert {len(row) for row in rows if row} != {len(names)}
        return
    written = [row[: len(names)] for row in rows if row]
    assert table.frame.to_numpy().tolist() == written
