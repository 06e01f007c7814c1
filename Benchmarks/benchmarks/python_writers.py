"""Write the rows of a file with a Python library, in the way that its manual shows for large data, and print the
seconds and the CPU time.

usage: python_writers.py XlsxWriter|openpyxl|rust_xlsxwriter ROWS OUTPUT

The rows are COPY's text format. They are in memory before the clock starts.
"""
import datetime
import sys
import time

TITLES = ["Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams", "Creation date", "Last update", "Status"]
DATES = (7, 8)


def rows_of(path):
    days = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = [None if cell == "\\N" else cell for cell in line.rstrip("\n").split("\t")]
            for place in DATES:
                text = cells[place]
                if text is not None:
                    cells[place] = days.setdefault(text, datetime.date.fromisoformat(text))
            yield cells


def with_xlsxwriter(rows, path):
    import xlsxwriter
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    bold, date = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("Administrators")
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(TITLES):
        sheet.write_string(0, column, title, bold)
    for number, row in enumerate(rows, 1):
        for column, cell in enumerate(row):
            if cell is None:
                continue
            if column in DATES:
                sheet.write_datetime(number, column, cell, date)
            else:
                sheet.write_string(number, column, cell)
    sheet.autofilter(0, 0, len(rows), len(TITLES) - 1)
    book.close()


def with_openpyxl(rows, path):
    import openpyxl
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Administrators")
    sheet.freeze_panes = "A2"
    sheet.append(TITLES)
    for row in rows:
        sheet.append(row)
    book.save(path)


def with_rust(rows, path):
    import rustpy_xlsxwriter
    records = (dict(zip(TITLES, row)) for row in rows)
    rustpy_xlsxwriter.write_worksheet(records, path, sheet_name="Administrators", freeze_row=1, bold_headers=True)


def main(library, source, path):
    rows = list(rows_of(source))
    start, cpu = time.monotonic(), time.process_time()
    {"XlsxWriter": with_xlsxwriter, "openpyxl": with_openpyxl, "rust_xlsxwriter": with_rust}[library](rows, path)
    print(time.monotonic() - start, time.process_time() - cpu)


if __name__ == "__main__":
    main(*sys.argv[1:])
