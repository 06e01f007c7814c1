"""LibreOffice in headless mode: converts to CSV, and to .xlsx and back.

It decodes `_x005F_` and the escapes of characters that XML forbids, but no other escapes such as `_x0041_`; the service
writes none of these. It is known to garble the following:

- It divides a text with a line feed into paragraphs, and a paragraph of more than 16,367 UTF-16 units into several, even
  between surrogates (editeng, MAXCHARSINPARA). If the text is then longer than a cell, .xlsx gets the part that fits.
- When it writes .xlsx, it does not escape every text correctly (ECMA-376 Part 1, 22.9.2.19). It does not escape
  `_x005F_xHHHH_` and `_x0020_`. It escapes only the first part of `_xHHHH_xHHHH_`. It does not detect that the underscore
  of an escaped control character completes the text before it (sax, fastserializer.cxx). Because it reads all of them
  correctly, its CSV shows that the workbook is not the cause.
"""
import csv
import re
import shutil
import zipfile

from .cells import cell_text, unescape
from .python_packages import openpyxl as read_openpyxl
from .reader import Reader, run
from .service import SCRATCH

# Comma, quote, UTF-8, from the first line; cells as they are shown; every sheet to a file of its own (-1).
CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"

LONGEST_PARAGRAPH = 16_367
ESCAPED = re.compile("_[xX]005[fF]_[xX][0-9A-Fa-f]{4}_|_[xX](?!0020_)[0-9A-Fa-f]{4}_")
FORBIDDEN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")


def version():
    if not shutil.which("soffice"):
        return None
    return run("soffice", "--version").decode().split()[1]


def convert(path, to, work):
    """Converts with a separate profile, so that neither the user's settings nor a running LibreOffice matter."""
    run("soffice", f"-env:UserInstallation=file://{SCRATCH}/lo", "--headless", "--norestore", "--convert-to", to,
        "--outdir", work, path)


def to_csv(path, work):
    convert(path, CSV, work)
    result = {}
    for file in sorted(work.glob("*.csv")):
        with open(file, encoding="utf-8", newline="") as lines:
            result[file.stem.removeprefix(path.stem + "-")] = [[shown(cell) for cell in row] for row in csv.reader(lines)]
    return result


def shown(cell):
    """A cell as a person sees it; a time at midnight is a day."""
    return re.sub(r"^(\d{4}-\d\d-\d\d) 00:00:00$", r"\1", cell) or None


def round_trip(path, work):
    convert(path, "xlsx", work)
    file = work / path.name
    with zipfile.ZipFile(file) as book:
        for part in book.namelist():
            # LibreOffice writes a boolean as the formula TRUE() or FALSE() and its value.
            if part.startswith("xl/worksheets/") and re.search(rb"<f[ />](?!aca=.false.>(?:TRUE|FALSE)\(\)</f>)", book.read(part)):
                raise ValueError(f"LibreOffice treated a text as a formula: {part} has an <f>")
    return read_openpyxl(file, work)


def break_paragraphs(text):
    return "\n".join(map(break_paragraph, text.split("\n"))) if "\n" in text else text


def break_paragraph(line):
    units = line.encode("utf-16-le")
    size = 2 * LONGEST_PARAGRAPH
    parts = [units[at:at + size] for at in range(0, len(units), size)]
    return "\n".join(part.decode("utf-16-le", errors="replace") for part in parts)


def write_and_read(text):
    """The text after LibreOffice has escaped it and a correct reader has decoded it."""
    text, _ = cell_text(break_paragraphs(text))
    text = ESCAPED.sub(lambda match: match[0] if len(match[0]) > 7 else "_x005F" + match[0], text)
    return unescape(FORBIDDEN.sub(lambda match: f"_x{ord(match[0]):04x}_", text))


READERS = [
    Reader("libreoffice-csv", version, to_csv, typed=False, ordered=False, garbles=break_paragraphs),
    Reader("libreoffice-xlsx", version, round_trip, garbles=write_and_read),
]
