"""A strict reader of .xlsx files for the judges: ZIP records in the order of the file, parts, relations, cells.

It is independent of all writers. If something is missing or not well-formed, it raises, and the writer fails the trap.
"""
import dataclasses
import functools
import posixpath
import re
import struct
import xml.etree.ElementTree as ElementTree
import zipfile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
EXTENDED = "{http://schemas.openxmlformats.org/officeDocument/2006/extended-properties}"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SPACE = "{http://www.w3.org/XML/1998/namespace}space"


@dataclasses.dataclass
class Record:
    """The fields that a local file header and its entry of the central directory share."""
    name: bytes
    version: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    extra: bytes
    end: int = 0

    def facts(self):
        return self.name, self.flags, self.method, self.crc, self.packed, self.size


@dataclasses.dataclass
class Text:
    """A text element as written (`raw`), as Excel reads it (`text`), and whether its outer white space is kept."""
    raw: str
    text: str
    kept: bool


@dataclasses.dataclass
class Cell:
    row: int
    column: int
    kind: str
    style: int
    value: "Text | None"
    formula: bool
    body: bool

    @property
    def text(self):
        """The text of a text cell, "" where there is none; None for a number, boolean or date."""
        if self.kind in ("s", "inlineStr", "str"):
            return self.value.text if self.value else ""
        return None if self.body else ""


def decode(raw):
    """Excel's escapes, ST_Xstring of ECMA-376 Part 1, 22.9.2.19: each `_xHHHH_`, from the left, is a UTF-16 unit."""
    text = re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), raw)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def units(text):
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def letters_to_number(letters):
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def place(reference):
    """(row, column) of `B12`, both from 1."""
    match = re.fullmatch(r"\$?([A-Z]{1,3})\$?([0-9]+)", reference)
    return int(match[2]), letters_to_number(match[1])


def area(reference):
    """(first row, first column, last row, last column) of `A1:B12` or `A1`."""
    first, _, last = reference.partition(":")
    return place(first) + place(last or first)


def text_of(element):
    """The text of `<si>` or `<is>`: its `<t>`, or those of its runs; phonetic hints do not count."""
    pieces = element.findall(f"{MAIN}t") + element.findall(f"{MAIN}r/{MAIN}t")
    return gather(pieces)


def gather(pieces):
    raws = [piece.text or "" for piece in pieces]
    blanks = " \t\n\r"
    kept = all(piece.get(SPACE) == "preserve" or raw == raw.strip(blanks) for piece, raw in zip(pieces, raws))
    raw = "".join(raws)
    return Text(raw, decode(raw), kept)


class Package:
    def __init__(self, path):
        self.path = path
        self.zip = zipfile.ZipFile(path)
        self.names = self.zip.namelist()

    def xml(self, part):
        return ElementTree.fromstring(self.zip.read(part))

    # The archive

    def records(self):
        """(local, central, descriptor bytes) for each entry, read by hand."""
        with open(self.path, "rb") as file:
            for info in self.zip.infolist():
                local = self._local(file, info.header_offset)
                central = Record(info.orig_filename.encode(), info.extract_version, info.flag_bits, info.compress_type,
                                 info.CRC, info.compress_size, info.file_size, info.extra)
                file.seek(local.end + info.compress_size)
                yield local, central, file.read(24)

    @staticmethod
    def _local(file, offset):
        file.seek(offset)
        fields = struct.unpack("<4s5H3L2H", file.read(30))
        if fields[0] != b"PK\3\4":
            raise zipfile.BadZipFile("no local header where the directory says")
        name, extra = file.read(fields[9]), file.read(fields[10])
        return Record(name, fields[1], fields[2], fields[3], fields[6], fields[7], fields[8], extra, file.tell())

    def tail(self):
        """The bytes from the central directory to the end."""
        with open(self.path, "rb") as file:
            file.seek(self.zip.start_dir)
            return file.read()

    # Parts

    @functools.cached_property
    def overrides(self):
        items = self.xml("[Content_Types].xml").iter(f"{TYPES}Override")
        return {item.get("PartName"): item.get("ContentType") for item in items}

    @functools.cached_property
    def defaults(self):
        items = self.xml("[Content_Types].xml").iter(f"{TYPES}Default")
        return {item.get("Extension").lower(): item.get("ContentType") for item in items}

    def content_type(self, part):
        return self.overrides.get("/" + part) or self.defaults.get(part.rsplit(".", 1)[-1].lower())

    def relations(self, part):
        """(id, type, target part) of each relation of a part; "" is the package."""
        folder, name = posixpath.split(part)
        source = posixpath.join(folder, "_rels", name + ".rels")
        if source not in self.names:
            return []
        items = [item for item in self.xml(source).iter(f"{RELATIONS}Relationship") if item.get("TargetMode") != "External"]
        return [(item.get("Id"), item.get("Type"), self._target(folder, item.get("Target"))) for item in items]

    @staticmethod
    def _target(folder, target):
        return target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))

    def related(self, part, kind):
        """The first part that a relation of this type leads to, or None."""
        return next((target for _, type_, target in self.relations(part) if type_ == f"{OFFICE}/{kind}"), None)

    @functools.cached_property
    def book(self):
        return self.xml(self.book_part)

    @functools.cached_property
    def book_part(self):
        part = self.related("", "officeDocument")
        if part is None:
            raise KeyError("no relation to a workbook")
        return part

    @functools.cached_property
    def sheets(self):
        """(name as Excel reads it, part) of each sheet."""
        targets = {id_: target for id_, _, target in self.relations(self.book_part)}
        sheets = self.book.iter(f"{MAIN}sheet")
        return [(decode(sheet.get("name")), targets[sheet.get(f"{{{OFFICE}}}id")]) for sheet in sheets]

    @functools.cached_property
    def styles(self):
        part = self.related(self.book_part, "styles")
        return None if part is None else self.xml(part)

    @functools.cached_property
    def formats(self):
        """(number format id, format code or None, quotePrefix) for each cell style."""
        custom = {item.get("numFmtId"): item.get("formatCode") for item in self.styles.iter(f"{MAIN}numFmt")}
        return [(int(xf.get("numFmtId", 0)), custom.get(xf.get("numFmtId")), xf.get("quotePrefix") in ("1", "true"))
                for xf in self.styles.findall(f"{MAIN}cellXfs/{MAIN}xf")]

    @functools.cached_property
    def strings(self):
        part = self.related(self.book_part, "sharedStrings")
        return [] if part is None else [text_of(item) for item in self.xml(part).iter(f"{MAIN}si")]

    # Cells

    def cells(self, part):
        """The cells of a sheet, as a stream: memory does not grow with the rows."""
        row = 0
        with self.zip.open(part) as file:
            for _, element in ElementTree.iterparse(file):
                if element.tag != f"{MAIN}row":
                    continue
                row = int(element.get("r", row + 1))
                column = 0
                for item in element:
                    column = place(item.get("r"))[1] if item.get("r") else column + 1
                    yield self._cell(item, row, column)
                element.clear()

    def _cell(self, item, row, column):
        kind = item.get("t", "n")
        body = item.find(f"{MAIN}is") if kind == "inlineStr" else item.find(f"{MAIN}v")
        if body is None:
            value = None
        elif kind == "inlineStr":
            value = text_of(body)
        elif kind == "s":
            value = self.strings[int(body.text)]
        elif kind == "str":
            value = gather([body])
        else:
            value = Text(body.text or "", body.text or "", True)
        formula = item.find(f"{MAIN}f") is not None
        return Cell(row, column, kind, int(item.get("s", 0)), value, formula, body is not None)

    def grid(self, index=0):
        """{(row, column): cell} of one sheet."""
        return {(cell.row, cell.column): cell for cell in self.cells(self.sheets[index][1])}
