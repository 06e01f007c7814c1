#!/usr/bin/env python3
"""Print the first rows of a workbook. Needs only Python's standard library.

usage: show-workbook.py FILE [ROWS]
"""
import re
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from datetime import date, timedelta

NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def shared_strings(book):
    strings = []
    with book.open("xl/sharedStrings.xml") as part:
        for _, item in ElementTree.iterparse(part):
            if item.tag == NAMESPACE + "si":
                strings.append("".join(text.text or "" for text in item.iter(NAMESPACE + "t")))
    return strings


def value(cell, strings):
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(NAMESPACE + "t"))
    number = cell.find(NAMESPACE + "v")
    if number is None:
        return ""
    if kind == "s":
        return strings[int(number.text)]
    return str(date(1899, 12, 30) + timedelta(days=int(number.text)))


COLUMNS = "ABCDEFGHIJ"


def main(path, wanted):
    with zipfile.ZipFile(path) as book:
        strings = shared_strings(book)
        with book.open("xl/worksheets/sheet1.xml") as part:
            count = 0
            for _, row in ElementTree.iterparse(part):
                if row.tag != NAMESPACE + "row":
                    continue
                # A cell without a reference follows the cell before it.
                cells = {re.sub(r"\d", "", cell.get("r", column)): value(cell, strings) for column, cell in zip(COLUMNS, row)}
                print(" | ".join(cells.get(column, "").replace("\n", "⏎")[:26].ljust(12) for column in COLUMNS))
                row.clear()
                count += 1
                if count > wanted:
                    return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8)
