"""openpyxl, python-calamine, pandas and xlsx2csv."""
import contextlib
import csv
import sys

from .cells import plain, unescape
from .reader import Reader, package_version

csv.field_size_limit(sys.maxsize)


@contextlib.contextmanager
def whole_shared_strings():
    """Lets openpyxl read shared strings as they are written.

    openpyxl 3.1 leaves `_xHHHH_` as it stands, in cells and in shared strings. But it takes every `x005F_` out of shared
    strings, so that what was written `_x005F_x0041_` for the text `_x0041_` looks like the escape of an A. Here the
    string table is read without that, and all escapes are read afterwards.
    """
    import openpyxl.reader.excel
    from openpyxl.cell.text import Text
    from openpyxl.xml.constants import SHEET_MAIN_NS
    from openpyxl.xml.functions import iterparse

    def string_table(source):
        strings = []
        for _, node in iterparse(source):
            if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                strings.append(Text.from_tree(node).content)
                node.clear()
        return strings

    original = openpyxl.reader.excel.read_string_table
    openpyxl.reader.excel.read_string_table = string_table
    try:
        yield
    finally:
        openpyxl.reader.excel.read_string_table = original


def openpyxl_book(path, **options):
    """Opens a workbook for the values of its cells: a formula would otherwise be given as a text that looks like one."""
    import openpyxl
    with whole_shared_strings():
        return openpyxl.load_workbook(path, data_only=True, **options)


def openpyxl_rows(sheet):
    for row in sheet.iter_rows(values_only=True):
        yield [unescape(plain(cell)) for cell in row]


def openpyxl(path, _):
    return {sheet.title: list(openpyxl_rows(sheet)) for sheet in openpyxl_book(path).worksheets}


def openpyxl_read_only(path, _):
    return {sheet.title: openpyxl_rows(sheet) for sheet in openpyxl_book(path, read_only=True).worksheets}


def calamine(path, _):
    import python_calamine
    book = python_calamine.CalamineWorkbook.from_path(str(path))

    def rows(name):
        for row in book.get_sheet_by_name(name).iter_rows():
            yield [plain(cell) for cell in row]

    return {name: rows(name) for name in book.sheet_names}


def calamine_garbles(text):
    """calamine 0.9 reads the `_xHHHH_` of control characters and leaves those of U+FFFE and U+FFFF as they stand.

    It strips white space at the ends wherever there is no xml:space="preserve"; nothing of that shows here.
    """
    return text.replace("\ufffe", "_xFFFE_").replace("\uffff", "_xFFFF_")


def pandas_with(engine):
    """pandas adds nothing to what its engine does, once it is told to convert and to drop nothing."""
    def read(path, _):
        import pandas
        with whole_shared_strings():
            frames = pandas.read_excel(path, sheet_name=None, header=None, dtype=object, na_filter=False, engine=engine)
        decode = unescape if engine == "openpyxl" else lambda cell: cell
        return {name: [[decode(plain(cell)) for cell in row] for row in frame.itertuples(index=False, name=None)]
                for name, frame in frames.items()}
    return read


def xlsx2csv(path, work):
    """xlsx2csv leaves `_xHHHH_` as it stands. Its own way with the format of the dates gives `2025\\-01\\-31`, so it is told
    one. Rows that have no `r` it passes over: it reads nothing from a workbook without cell references.
    """
    from xlsx2csv import Xlsx2csv
    result = {}
    with Xlsx2csv(str(path), dateformat="%Y-%m-%d") as book:
        for sheet in book.workbook.sheets:
            file = work / f"{sheet['index']}.csv"
            book.convert(str(file), sheetid=sheet["index"])
            with open(file, encoding="utf-8", newline="") as lines:
                result[sheet["name"]] = [[plain(unescape(cell)) for cell in row] for row in csv.reader(lines)]
    return result


def xlsx2csv_garbles(text):
    """xlsx2csv takes `_x000D_` before a line feed for a carriage return and drops it, though its underscore is escaped."""
    return text.replace("_x000D_\n", "_x005F\n")


READERS = [
    Reader("openpyxl", package_version("openpyxl"), openpyxl),
    Reader("openpyxl-read-only", package_version("openpyxl"), openpyxl_read_only, streams=True),
    Reader("calamine", package_version("python-calamine"), calamine, streams=True, garbles=calamine_garbles),
    Reader("pandas-calamine", package_version("pandas"), pandas_with("calamine"), garbles=calamine_garbles),
    Reader("pandas-openpyxl", package_version("pandas"), pandas_with("openpyxl")),
    Reader("xlsx2csv", package_version("xlsx2csv"), xlsx2csv, typed=False, needs_references=True, garbles=xlsx2csv_garbles),
]
