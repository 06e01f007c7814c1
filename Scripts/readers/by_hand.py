"""Reads a workbook with Python's XML parser according to ECMA-376. The other readers are compared with this one."""
import platform
import re
import xml.etree.ElementTree as ElementTree
import zipfile
from datetime import datetime, timedelta

from .cells import plain, unescape
from .reader import Reader

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def read(path, _):
    with zipfile.ZipFile(path) as book:
        def elements(part, tag=None):
            return ElementTree.parse(book.open("xl/" + part)).iter(tag)

        parts = {item.get("Id"): item.get("Target") for item in elements("_rels/workbook.xml.rels")}
        strings = [text(item) for item in elements("sharedStrings.xml", MAIN + "si")]
        days = date_styles(ElementTree.parse(book.open("xl/styles.xml")))
        return {sheet.get("name"): rows(book.open("xl/" + parts[sheet.get(RELATION)]), strings, days)
                for sheet in elements("workbook.xml", MAIN + "sheet")}


def date_styles(styles):
    """The indices of the cell styles whose format shows a year."""
    formats = {item.get("numFmtId") for item in styles.iter(MAIN + "numFmt") if "yyyy" in item.get("formatCode")}
    cells = styles.find(MAIN + "cellXfs")
    return {str(index) for index, item in enumerate(cells) if item.get("numFmtId") in formats}


def rows(part, strings, days):
    result = []
    for _, row in ElementTree.iterparse(part):
        if row.tag != MAIN + "row":
            continue
        if int(row.get("r", len(result) + 1)) != len(result) + 1:
            raise ValueError(f"the row {row.get('r')} comes after {len(result)} rows")
        cells = []
        for cell in row:
            if reference := cell.get("r"):
                cells += [None] * (column(reference) - len(cells))
            cells.append(plain(value(cell, strings, days)))
        while cells and cells[-1] is None:
            cells.pop()
        result.append(cells)
        row.clear()
    return result


def column(reference):
    number = 0
    for letter in re.match("[A-Z]+", reference)[0]:
        number = 26 * number + ord(letter) - 64
    return number - 1


def value(cell, strings, days):
    if cell.find(MAIN + "f") is not None:
        raise ValueError("a formula")
    kind, number = cell.get("t"), cell.findtext(MAIN + "v")
    if kind == "inlineStr":
        return text(cell)
    if number is None:
        return None
    if kind == "s":
        return strings[int(number)]
    if kind == "b":
        return {"0": False, "1": True}[number]
    if cell.get("s") in days:
        return datetime(1899, 12, 30) + timedelta(milliseconds=round(float(number) * 86_400_000))
    return float(number)


def text(item):
    return unescape("".join(part.text or "" for part in item.iter(MAIN + "t")))


def has_references(path):
    """Whether the cells of the first sheet have an `r`."""
    with zipfile.ZipFile(path) as book, book.open("xl/worksheets/sheet1.xml") as part:
        return b'<c r="A1"' in part.read(65_536)


READERS = [Reader("by-hand", lambda: "Python " + platform.python_version(), read)]
