"""openpyxl, python-calamine, pandas and xlsx2csv."""
import contextlib
import csv
import re
import sys

from .cells import plain, unescape
from .reader import Reader, package_version

csv.field_size_limit(sys.maxsize)


@contextlib.contextmanager
def whole_shared_strings():
    """Makes openpyxl return shared strings unchanged.

    openpyxl 3.1 does not decode `_xHHHH_` in cells and shared strings. However, it removes every `x005F_` from shared
    strings, so that `_x005F_x0041_`, which stands for the text `_x0041_`, looks like the escape of an A. This replacement
    reads the string table without that, and the caller decodes all escapes afterwards.
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
    """Opens a workbook for the values of its cells. Otherwise openpyxl would return a formula as a text."""
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
    """calamine 0.9 decodes the `_xHHHH_` of control characters, but not those of U+FFFE and U+FFFF.

    It removes outer white space unless xml:space="preserve" is set; this does not affect our workbooks.
    """
    return text.replace("\ufffe", "_xFFFE_").replace("\uffff", "_xFFFF_")


def pandas_with(engine):
    """With these options, pandas converts and drops nothing, and returns what its engine returns."""
    def read(path, _):
        import pandas
        with whole_shared_strings():
            frames = pandas.read_excel(path, sheet_name=None, header=None, dtype=object, na_filter=False, engine=engine)
        decode = unescape if engine == "openpyxl" else lambda cell: cell
        return {name: [[decode(plain(cell)) for cell in row] for row in frame.itertuples(index=False, name=None)]
                for name, frame in frames.items()}
    return read


def xlsx2csv(path, work):
    """xlsx2csv does not decode `_xHHHH_`. Its default date format produces `2025\\-01\\-31`, so this function sets one, for days and times
    alike. It skips rows without `r`, and therefore reads nothing from a workbook without cell references.
    """
    def shown(cell):
        return re.sub(r"^(\d{4}-\d\d-\d\d) 00:00:00$", r"\1", cell)

    from xlsx2csv import Xlsx2csv
    result = {}
    with Xlsx2csv(str(path), dateformat="%Y-%m-%d %H:%M:%S") as book:
        for sheet in book.workbook.sheets:
            file = work / f"{sheet['index']}.csv"
            book.convert(str(file), sheetid=sheet["index"])
            with open(file, encoding="utf-8", newline="") as lines:
                result[sheet["name"]] = [[plain(unescape(shown(cell))) for cell in row] for row in csv.reader(lines)]
    return result


def xlsx2csv_garbles(text):
    """xlsx2csv treats `_x000D_` before a line feed as a carriage return and drops it, although its underscore is escaped."""
    return text.replace("_x000D_\n", "_x005F\n")


READERS = [
    Reader("openpyxl", package_version("openpyxl"), openpyxl),
    Reader("openpyxl-read-only", package_version("openpyxl"), openpyxl_read_only, streams=True),
    Reader("calamine", package_version("python-calamine"), calamine, streams=True, garbles=calamine_garbles),
    Reader("pandas-calamine", package_version("pandas"), pandas_with("calamine"), garbles=calamine_garbles),
    Reader("pandas-openpyxl", package_version("pandas"), pandas_with("openpyxl")),
    Reader("xlsx2csv", package_version("xlsx2csv"), xlsx2csv, typed=False, needs_references=True, garbles=xlsx2csv_garbles),
]
