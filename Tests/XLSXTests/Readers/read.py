"""Prints the texts of a workbook's first sheet as JSON, a list for each row, as a reader returns them.

usage: read.py openpyxl|calamine|libreoffice FILE

Peculiarities of the readers that are undone here, and nothing else:
- openpyxl does not decode _xHHHH_ (ECMA-376 Part 1, 22.9.2.19); of shared strings it only drops every "x005F_", so what
  it reads has to be inline.
- LibreOffice gives its sheet as CSV.
"""
import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile

csv.field_size_limit(1 << 24)


def openpyxl_rows(path):
    import openpyxl

    def decode(text):
        return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)

    sheet = openpyxl.load_workbook(path).active
    return [["" if cell is None else decode(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


def calamine_rows(path):
    import python_calamine
    return python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()


def libreoffice_rows(path):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile",
             "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false", "--outdir", folder, path],
            check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(pathlib.Path(folder, pathlib.Path(path).stem + ".csv"), encoding="utf-8", newline="") as file:
            return list(csv.reader(file))


if __name__ == "__main__":
    reader = {"openpyxl": openpyxl_rows, "calamine": calamine_rows, "libreoffice": libreoffice_rows}[sys.argv[1]]
    print(json.dumps(reader(sys.argv[2])))
