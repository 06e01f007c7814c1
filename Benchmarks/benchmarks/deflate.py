"""The seconds that zlib's level 1 takes for the XML of a workbook's first sheet, as zlib does it by default.

usage: deflate.py WORKBOOK
"""
import sys
import time
import zipfile
import zlib


def main(workbook):
    with zipfile.ZipFile(workbook) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml")
    deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
    start = time.monotonic()
    for at in range(0, len(xml), 262_144):
        deflater.compress(xml[at:at + 262_144])
    deflater.flush()
    print(time.monotonic() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
