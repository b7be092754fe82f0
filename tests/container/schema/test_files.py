"""Tables from files: what people have on disk, and what is said of files that cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from canarywood.errors import DataError
from canarywood.schema.files import looks_like_header, source_of
from canarywood.schema.table import CsvForm, number_rows, read_tables

ROWS = {"a": ["1", "3"], "b": ["x", ""]}


def rows(place: Path, **options: object) -> dict[str, list[str]]:
    found: dict[str, list[str]] = read_tables(place, **options).to_pydict()  # type: ignore[arg-type]
    return found


def parquet(path: Path, **columns: object) -> Path:
    pa.parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n3,\n",
        b"a,b\r\n1,x\r\n3,\r\n",
        b"\xef\xbb\xbfa,b\n1,x\n3,\n",
        b'"a","b"\n"1","x"\n"3",""\n',
        b"a;b\n1;x\n3;\n",
        b"a\tb\n1\tx\n3\t\n",
        b"a|b\n1|x\n3|\n",
        b'"a";"b"\n1;x\n3;\n',
        gzip.compress(b"a,b\n1,x\n3,\n"),
    ],
)
def test_every_form_of_a_csv_file_gives_the_same_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert rows(tmp_path) == ROWS


def test_cells_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n007,"two\nlines, and a ""quote"""\n NA ,null\n')
    assert rows(tmp_path) == {
        "a": ["007", " NA "],
        "b": ['two\nlines, and a "quote"', "null"],
    }


def test_a_file_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf1,x\n3,\n")
    assert rows(tmp_path) == {"f0": ["1", "3"], "f1": ["x", ""]}
    assert rows(tmp_path, form=CsvForm(names=["a", "b"])) == ROWS
    assert rows(tmp_path, form=CsvForm(header=False)) == {"f0": ["1", "3"], "f1": ["x", ""]}
    with pytest.raises(DataError, match=r"a\.csv has 2 columns, 3 names are given"):
        rows(tmp_path, form=CsvForm(names=["a", "b", "c"]))


@pytest.mark.parametrize(
    ("titles", "is_header"),
    [
        (["a", "b"], True),
        (["", "a"], True),
        (["items", "class", "__init__"], True),
        (["1", "a"], False),
        (["a", ""], False),
        (["", ""], False),
        ([""], False),
        (["a", "a"], False),
        (["a", "inf"], False),
        (["", "1"], False),
    ],
)
def test_a_header_names_columns(titles: list[str], is_header: bool) -> None:
    assert looks_like_header(titles) is is_header


def test_files_and_folders_are_one_table_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.csv").write_text("a,b\n5,z\n")
    (tmp_path / "b.csv").write_text("b,a\ny,4\n")
    parquet(tmp_path / "a.parquet", a=[1, 2], b=["u", None])
    for name in ("schema.json", "manifest.json", ".hidden", "_SUCCESS"):
        (tmp_path / name).write_text("no data")
    (tmp_path / "empty.csv").touch()
    assert rows(tmp_path) == {"a": ["1", "2", "4", "5"], "b": ["u", None, "y", "z"]}


def test_parts_of_different_types_become_text(tmp_path: Path) -> None:
    parquet(tmp_path / "1.parquet", a=pa.array([7], pa.int32()), b=pa.array(["x"]))
    parquet(tmp_path / "2.parquet", a=pa.array([7.0]), b=pa.array(["x"]).dictionary_encode())
    parquet(tmp_path / "3.parquet", a=pa.nulls(1), b=pa.array(["x"], pa.large_string()))
    assert rows(tmp_path) == {"a": ["7", "7", None], "b": ["x", "x", "x"]}
    parquet(tmp_path / "4.parquet", a=pa.array([[1]]), b=pa.array(["x"]))
    with pytest.raises(DataError, match="column a has different types in the files"):
        rows(tmp_path)


def test_folders_named_like_partitions_add_no_column(tmp_path: Path) -> None:
    (tmp_path / "year=2013").mkdir()
    parquet(tmp_path / "year=2013" / "a.parquet", a=[1])
    assert rows(tmp_path) == {"a": [1]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3\n", r"bad\.csv is not readable CSV: row 2 has 1 values, 2 columns"),
        (b"1,2\n3,4\n5,6,7\n", r"bad\.csv is not readable CSV: row 3 has 3 values, 2 columns"),
        (b"a,b\ncaf\xe9,2\n", r"bad\.csv is not UTF-8"),
        (b"caf\xe9,b\n1,2\n", r"bad\.csv is not UTF-8: .* save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), r"bad\.csv is not UTF-8"),
        (b"\n1,2\n", r"bad\.csv begins with an empty line"),
        (b"\x1f\x8b\x08broken", r"bad\.csv"),
        (gzip.compress(b"a,b\n1,2\n" * 9999)[:50], r"bad\.csv"),
        (b"PAR1 and no more", r"bad\.csv is not a readable Parquet file"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_tables(tmp_path)


def test_a_cell_of_a_megabyte_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"a,b\n{'x' * (1 << 20)},2\n")
    assert len(rows(tmp_path)["a"][0]) == 1 << 20


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="holds no data"):
        read_tables(tmp_path)
    with pytest.raises(DataError, match=r"empty\.csv begins with an empty line"):
        read_tables(tmp_path / "empty.csv")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet names the column 'a' twice"):
        read_tables(tmp_path)
    (tmp_path / "b.csv").write_text("a,a\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv names the column 'a' twice"):
        read_tables(tmp_path / "b.csv", form=CsvForm(header=True))


def test_files_with_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv has other columns than a\.csv: b, c"):
        read_tables(tmp_path)


def test_a_row_is_known_by_its_file_also_after_a_filter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "b.csv").write_text("a,b\n5,6\n7,8\n")
    table = read_tables(tmp_path)
    assert [source_of(table, row) for row in (1, 2, 3, 4, 5)] == [
        "a.csv, row 1", "a.csv, row 2", "b.csv, row 1", "b.csv, row 2", "row 1",
    ]  # fmt: skip
    left = number_rows(table).filter(pa.array([False, True, False, True]))
    assert [source_of(left, row) for row in (1, 2)] == ["a.csv, row 2", "b.csv, row 2"]


def test_a_content_type_that_is_not_that_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is not a Parquet file"):
        read_tables(tmp_path, content_type="application/x-parquet")
    with pytest.raises(DataError, match="is not supported"):
        read_tables(tmp_path, content_type="image/png")
