"""Write one workbook with a Python library, in the way that its manual shows. writers.py runs it in a separate process.

usage: python_writers.py LIBRARY INPUT OUTPUT

Exit status: 0 the file was written (with a JSON report on stdout), 1 the library refused the input (with the reason on
stderr), 3 the library's API cannot express the input, 4 the library failed without an exception.
"""
import datetime
import json
import sys
import warnings

import lines

EPOCH = datetime.date(1970, 1, 1)
CREATED = datetime.datetime(2026, 1, 1)


class CannotExpress(Exception):
    """The library's API cannot express the input."""


class Refused(Exception):
    """The library returned an error code."""


def value_of(cell):
    """The value in a Python program. Bytes that are not UTF-8 become lone surrogates (PEP 383)."""
    if isinstance(cell, dict):
        return bytes.fromhex(cell["hex"]).decode("utf-8", "surrogateescape")
    if isinstance(cell, int):
        try:
            return EPOCH + datetime.timedelta(days=cell)
        except OverflowError as error:
            raise CannotExpress("datetime.date ends at year 9999") from error
    return cell


def sheets(source):
    """(name, columns, rows) of each sheet; the rows are read lazily."""
    heads = [line for line in lines.read(source) if isinstance(line, dict)]
    for index, head in enumerate(heads):
        yield head["sheet"], [lines.column(item) for item in head["columns"]], rows_of(source, index)


def rows_of(source, wanted):
    index = -1
    for line in lines.read(source):
        if isinstance(line, dict):
            index += 1
        elif index == wanted:
            yield [value_of(cell) for cell in line]


def with_openpyxl(source, path):
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    book.properties.title, book.properties.creator = "Traps", "traps.py"
    book.properties.created = book.properties.modified = CREATED
    for name, columns, rows in sheets(source):
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        header = [WriteOnlyCell(sheet, value=title) for title, _ in columns]
        for cell in header:
            cell.font = Font(bold=True)
        sheet.append(header)
        count = 1
        for row in rows:
            sheet.append(row)
            count += 1
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count}"
    book.save(path)
    return {}


def with_xlsxwriter(source, path):
    import xlsxwriter

    report = {"truncatedTexts": 0}
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    book.set_properties({"title": "Traps", "author": "traps.py", "created": CREATED})
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})

    def put(sheet, row, column, value, style=None):
        if value is None:
            return
        if isinstance(value, datetime.date):
            error = sheet.write_datetime(row, column, value, day)
        else:
            error = sheet.write_string(row, column, value, style)
        if error == -2:
            report["truncatedTexts"] += 1
        elif error:
            raise Refused(f"error code {error} in row {row + 1}")

    for name, columns, rows in sheets(source):
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        row = 0
        for column, (title, _) in enumerate(columns):
            put(sheet, 0, column, title, bold)
        for row, values in enumerate(rows, start=1):
            for column, value in enumerate(values):
                put(sheet, row, column, value)
        sheet.autofilter(0, 0, row, len(columns) - 1)
    book.close()
    return report


def with_rustpy(source, path):
    import rustpy_xlsxwriter

    def records(titles, rows):
        for row in rows:
            yield dict(zip(titles, row))

    data = [(name, records([title for title, _ in columns], rows)) for name, columns, rows in sheets(source)]
    rustpy_xlsxwriter.write_worksheets(
        data, path, freeze_panes={"general": {"row": 1, "col": 0}}, autofilter={"general": True},
        bold_headers=True, datetime_format="yyyy-mm-dd")
    return {}


LIBRARIES = {"openpyxl": with_openpyxl, "XlsxWriter": with_xlsxwriter, "rust_xlsxwriter": with_rustpy}


def main():
    library, source, path = sys.argv[1:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = LIBRARIES[library](source, path)
    notes = [str(item.message) for item in caught if not issubclass(item.category, (ResourceWarning, DeprecationWarning))]
    print(json.dumps({**report, "warnings": notes}))


try:
    main()
except CannotExpress as reason:
    print(reason, file=sys.stderr)
    sys.exit(3)
except Exception as reason:
    print(f"{type(reason).__name__}: {reason}".splitlines()[0], file=sys.stderr)
    sys.exit(1)
except BaseException as reason:
    print(f"{type(reason).__name__}: {reason}".splitlines()[0], file=sys.stderr)
    sys.exit(4)
