"""A: the ZIP archive (PKWARE APPNOTE 6.3; ECMA-376 Part 2, annex B)."""
import struct

from xlsxtraps.package import Package


def no_zip64(trial):
    for local, central, _ in trial.package.records():
        if max(local.version, central.version) > 20:
            return f"{local.name.decode()} needs version {max(local.version, central.version) / 10}"
        if 1 in extra_ids(local.extra) + extra_ids(central.extra):
            return f"ZIP64 field at {local.name.decode()}"
    return "ZIP64 end record" if b"PK\6\6" in trial.package.tail() else None


def extra_ids(extra):
    ids, at = [], 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        ids.append(kind)
        at += 4 + size
    return ids


def headers_agree(trial):
    for local, central, behind in trial.package.records():
        name = local.name.decode()
        if local.method not in (0, 8):
            return f"{name}: method {local.method}"
        if not local.flags & 8:
            if local.facts() != central.facts():
                return f"{name}: headers disagree"
            continue
        if (local.crc, local.packed, local.size) != (0, 0, 0):
            return f"{name}: bit 3, but sizes in the local header"
        if (local.name, local.flags, local.method) != (central.name, central.flags, central.method):
            return f"{name}: headers disagree"
        if behind[:16] != struct.pack("<4sLLL", b"PK\7\x08", central.crc, central.packed, central.size):
            return f"{name}: bad data descriptor"
    bad = trial.package.zip.testzip()
    return f"{bad}: bad CRC" if bad else None


def sizes_in_front(trial):
    behind = [local.name.decode() for local, _, _ in trial.package.records() if local.flags & 8]
    return f"{len(behind)} small entries have their sizes behind them" if behind else None


def content_types_first(trial):
    first = trial.package.names[0]
    return None if first == "[Content_Types].xml" else f"first entry is {first}"


def same_bytes(trial):
    with open(trial.package.path, "rb") as one, open(trial.again, "rb") as other:
        if one.read() == other.read():
            return None
    one, other = trial.package, Package(trial.again)
    differing = [name for name in one.names if name not in other.names or one.zip.read(name) != other.zip.read(name)]
    return f"differs: {', '.join(differing)}" if differing else "entry times differ"


def entry_names(trial):
    with open(trial.package.path, "rb") as file:
        if file.read(4) != b"PK\3\4":
            return "bytes before the first header"
    for local, _, _ in trial.package.records():
        if not local.name.isascii() or local.name.startswith(b"/") or b"\\" in local.name:
            return f"entry name {local.name!r}"
        if local.name.endswith(b"/"):
            return f"directory entry {local.name.decode()}"
    names = [name.lower() for name in trial.package.names]
    return None if len(set(names)) == len(names) else "an entry twice"
