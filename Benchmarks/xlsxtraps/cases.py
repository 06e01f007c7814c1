"""The list of traps: the input, the writers or readers that failed on it, and the judge.

The ids are those of the list that the project keeps: A archive, B text, C parts and sheet, D dates, E security, S size.
A source names the public issue or the clause that describes the trap.
"""
import dataclasses
import hashlib
import typing

from xlsxtraps.judges import archive, dates, sheet, size, text
from xlsxtraps.lines import head

COLUMNS = ["Name", {"title": "Since", "kind": "date"}, "Note"]


@dataclasses.dataclass(frozen=True, eq=False)
class Input:
    """The content of one workbook. Each call of `make` returns new lines."""
    make: typing.Callable
    label: str = ""
    #: An exception is right where XLSX cannot represent the input, and wrong where it can.
    may_refuse: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    id: str
    name: str
    source: str
    judge: typing.Callable
    inputs: tuple
    #: Written twice, some seconds apart.
    twice: bool = False
    #: What a writer's API must be able to say; see `Writer.lacks`.
    needs: str = ""
    #: The input whose peak of memory is taken off.
    baseline: "Input | None" = None
    large: bool = False


def rows(*values, label="", may_refuse=False, name="Data", columns=("Text",)):
    """One sheet. A value that is not a list is a row of one cell."""
    body = [value if isinstance(value, list) else [value] for value in values]
    return Input(lambda: [head(name, list(columns)), *body], label, may_refuse)


def day(number, label, may_refuse=False):
    return rows(number, label=label, may_refuse=may_refuse, columns=[{"title": "Day", "kind": "date"}])


def named(name, label, *more):
    heads = [[head(each, ["Text"]), ["x"]] for each in (name, *more)]
    return Input(lambda: sum(heads, []), label, may_refuse=True)


def noise():
    """About 2 MB of text that compresses badly, so that the entry is larger than any buffer."""
    yield head("Data", ["Text"])
    for number in range(30_000):
        yield [hashlib.sha256(str(number).encode()).hexdigest()]


def unlike(count):
    """A sheet of ten columns whose texts are all different."""
    yield head("Data", [f"Column {column}" for column in range(10)])
    for row in range(count):
        yield [f"row {row} has this text in column {column}" for column in range(10)]


def many(count):
    yield head("Data", ["Text"])
    for row in range(count):
        yield [f"row {row}"]


PLAIN = rows(
    ["Ada Lovelace", 16_801, "first"], ["Grace Hopper", 20_000, None], ["Zoë Ångström", None, "<&>"], [None, 0, "last"],
    columns=COLUMNS)
CONTROLS = [f"a{chr(code)}b" for code in range(1, 32) if code not in (9, 10, 13)]
ESCAPES = ["_x0041_", "_x005F_", "_x005f_", "_x000a_", "_x00e9_", "a_x000D_b", "_xD83D__xDE00_"]
NO_ESCAPES = ["first_name", "_", "__init__", "_xyz_", "_x00411_", "_xGGGG_", "x0041_", "_x0041"]
NEIGHBOURS = ["_x0041_x0042_", "_x005F_x0041_", "__x0041__", "_x0041\u0001", "\u0001x0041_"]
SHORT = ["_x1_", "_x12_", "_xA_", "_x01F_", "_x7_b"]
LINES = ["a\r\nb", "a\rb", "a\nb", "a\r\n\r\nb\r\n"]
OUTER = [" a", "a ", "\ta", "a\n", "\na", " ", "\n", "  two  "]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1+1", "\r=1+1", "{=1}", "=HYPERLINK(\"http://x.example\")"]
DIGITS = ["12345678901234567890", "00007", "1e5", "1.0", "TRUE", "1/2", "2026-01-01"]
SMILE = "\U0001F600"

CASES = (
    Case("A1", "no ZIP64 in a small file", "POI #1018, NPOI #583", archive.no_zip64, (PLAIN,)),
    Case("A2", "both ZIP headers agree", "ECMA-376-2 table B.5, LargeXlsx #9", archive.headers_agree,
         (PLAIN, Input(noise, "2 MB"))),
    Case("A5", "small entries: sizes in the local header", "SharpZipLib #900, EPPlus #1808", archive.sizes_in_front,
         (PLAIN,)),
    Case("A6", "[Content_Types].xml comes first", "XlsxWriter #614", archive.content_types_first, (PLAIN,)),
    Case("A6b", "the same rows twice: the same bytes", "XlsxWriter #535, #651", archive.same_bytes, (PLAIN,),
         twice=True, needs="properties"),
    Case("A7", "entry names, no directory entries", "duckdb-wasm #2119", archive.entry_names, (PLAIN,)),
    Case("B1", "control characters survive", "libxlsxwriter #42, exceljs #234", text.same_text, (rows(*CONTROLS),)),
    Case("B1b", "U+FFFE and U+FFFF survive", "rust_xlsxwriter #168", text.same_text, (rows("a\ufffeb", "a\uffffb"),)),
    Case("B2", "literal _xHHHH_ stays literal", "rust_xlsxwriter #166", text.same_text, (rows(*ESCAPES),)),
    Case("B2b", "other underscores do not change", "Sylvan.Data.Excel 0.4.5", text.underscores, (rows(*NO_ESCAPES),)),
    Case("B2c", "_xHHHH_ made by a neighbour", "ECMA-376-1, 22.9.2.19", text.same_text, (rows(*NEIGHBOURS),)),
    Case("B2d", "_xH_ with fewer digits, in LibreOffice", "seen in LibreOffice 7.4", text.short_escapes, (rows(*SHORT),)),
    Case("B3", "CR LF and CR become LF", "libxlsxwriter #189, XlsxWriter #812", text.line_feeds, (rows(*LINES),)),
    Case("B4", "a text that is too long is cut between characters, with a warning", "XlsxWriter #776, excelize #2205",
         text.cut_and_said, (
             rows(SMILE * 20_000, label="20,000 emoji", may_refuse=True),
             rows("a" + SMILE * 20_000, label="a letter and 20,000 emoji", may_refuse=True),
             rows("a" * 32_768, label="32,768 letters", may_refuse=True))),
    Case("B4b", "32,767 UTF-16 units are kept whole", "XlsxWriter #776, fastexcel #318", text.same_text, (
        rows("a" + SMILE * 16_383, label="emoji"), rows("a" * 32_767, label="letters"), rows("&" * 32_767, label="&"))),
    Case("B5", "outer white space is preserved", "fastexcel #624, LargeXlsx #58, hucre #441", text.white_space,
         (rows(*OUTER),)),
    Case("B6", "invalid UTF-8 becomes U+FFFD", "Unicode 3.9, table 3-7", text.replacement, (
        rows({"hex": "61ff62"}, label="FF", may_refuse=True),
        rows({"hex": "61eda08062"}, label="surrogate", may_refuse=True),
        rows({"hex": "61c0af62"}, label="overlong", may_refuse=True))),
    Case("B7", "empty texts and empty cells", "openxlsx2 #1038", text.empty_texts, (
        rows(["", "x", None, "y"], ["", "", "", ""], [None, None, None, "z"], columns=["A", "B", "C", "D"]),)),
    Case("C1", "element order of the parts", "rust_xlsxwriter #184, #185", sheet.element_order, (PLAIN,)),
    Case("C2", "complete styles, indices in range", "tealeg #88, elixlsx #17", sheet.styles, (PLAIN,)),
    Case("C3", "declared parts and relations exist", "duckdb-excel #52, rubyXL #158", sheet.parts, (PLAIN,)),
    Case("C6", "dimension is right or absent", "pandas #39001, agate-excel #22", sheet.dimension, (PLAIN,)),
    Case("C7", "a filter has its hidden name", "tealeg #798, exceljs #2778, tdf#118592", sheet.filter_name, (PLAIN,)),
    Case("C9", "bad sheet names are refused", "libxlsxwriter #223, SheetJS #2458", sheet.sheet_names, (
        named("n" * 32, "32 letters"), named(SMILE * 16, "32 units"), named("a/b", "a/b"), named("'a", "'a"),
        named("a'", "a'"), named("", "no name"), named("Data", "twice", "DATA"))),
    Case("C9b", "apostrophe and & in a sheet name", "ECMA-376-1, 18.17.2", sheet.quoted_name, (
        rows("x", name="Bob's & <Co>"), rows("x", name="it''s", label="two apostrophes"))),
    Case("C9c", "History, which Excel reserves, is refused", "XlsxWriter #688, exceljs #2674", sheet.reserved_name,
         (named("History", ""),)),
    Case("C10", "AppVersion has the form X.Y", "ECMA-376-1, 22.2.2; Sylvan 0.4.1", sheet.app_version, (PLAIN,)),
    Case("C11", "the frozen pane has its selection", "rust_xlsxwriter #154", sheet.frozen_pane, (PLAIN,)),
    Case("C12", "digits in a text stay text", "tablib #197, dbeaver #36423", text.same_text, (rows(*DIGITS),)),
    Case("D1", "the leap day of 1900", "readxl #264, ClosedXML #1432", dates.true_days, (
        day(-25_567, "1900-01-01"), day(-25_509, "1900-02-28"), day(-25_508, "1900-03-01"))),
    Case("D3", "days outside Excel's calendar", "XlsxWriter #731", dates.true_days, (
        day(-25_568, "1899-12-31", may_refuse=True), day(-62_091, "1800-01-01", may_refuse=True),
        day(-719_162, "0001-01-01", may_refuse=True), day(2_932_896, "9999-12-31"),
        day(2_932_897, "10000-01-01", may_refuse=True), day(-719_529, "year -1", may_refuse=True))),
    Case("D4", "dates in the format yyyy-mm-dd", "excelstream 0.20.1", dates.date_format, (day(20_000, ""),)),
    Case("E1", "a text never becomes a formula", "FastExcel #356, #411", text.no_formula, (rows(*FORMULAS),)),
    Case("E1b", "such a text stays a text when it is edited, by default", "OWASP CSV injection", text.stays_text,
         (rows(*FORMULAS),)),
    Case("S1", "200,000 rows x 10 texts: at most 100 MiB", "exceljs #1894, #2916", size.memory,
         (Input(lambda: unlike(200_000)),), baseline=Input(lambda: unlike(10))),
    Case("S2", "1,048,577 rows: no row lost, no sheet too long", "dbx #5076", size.rows_kept,
         (Input(lambda: many(1_048_577)),), large=True),
)
