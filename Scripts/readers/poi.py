"""Apache POI, through the small program PoiReader.java.

The jars come from the Python package pyreportjasper, which contains POI 5.2.2, or from Debian's libapache-poi-java. The
latter's 4.0.1 in Debian 12 cannot open any workbook, because its schema classes are not compatible with Debian's xmlbeans 4.
"""
import importlib.util
import json
import pathlib
import re
import shutil
from datetime import date, datetime

from .cells import plain
from .reader import Reader, Unusable, run
from .service import SCRATCH

DEBIAN = pathlib.Path("/usr/share/java")
NAMES = ["poi", "poi-ooxml", "poi-ooxml-schemas", "poi-ooxml-lite", "xmlbeans", "commons-collections4", "commons-compress",
         "commons-math3", "commons-codec", "commons-io", "curvesapi", "SparseBitSet", "log4j-api"]
NEEDED = ["poi", "poi-ooxml", "xmlbeans"]
CLASSES = SCRATCH / "poi"


def jars():
    """The jars of the first folder that has POI, by their names without versions."""
    package = importlib.util.find_spec("pyreportjasper")
    folders = [pathlib.Path(package.origin).parent / "libs"] if package else []
    for folder in [*folders, DEBIAN]:
        found = {re.sub(r"-\d[\d.]*$", "", jar.stem): jar for jar in sorted(folder.glob("*.jar"))}
        if all(name in found for name in NEEDED):
            return [found[name] for name in NAMES if name in found]
    return []


def java(*arguments):
    # POI returns a day as midnight in the time zone of the process.
    path = ":".join(map(str, [CLASSES, *jars()]))
    return run("java", "-Xmx2g", "-Duser.timezone=UTC", "-cp", path, "PoiReader", *arguments)


def version():
    if not shutil.which("javac") or not jars():
        return None
    if not CLASSES.exists():
        source = pathlib.Path(__file__).with_name("PoiReader.java")
        run("javac", "-cp", ":".join(map(str, jars())), "-d", CLASSES, source)
    try:
        return java("--version").decode().strip()
    except RuntimeError:
        raise Unusable("its jars are not compatible with each other") from None


def cell(value):
    if isinstance(value, dict) and "date" in value:
        return date.fromisoformat(value["date"])
    if isinstance(value, dict) and "time" in value:
        return plain(datetime.fromisoformat(value["time"]))
    return value if value is False else value or None


def read(path, _):
    result = {}
    for line in java(path).decode("ascii").splitlines():
        item = json.loads(line)
        if isinstance(item, str):
            rows = result[item] = []
        else:
            rows.append([cell(value) for value in item])
    return result


READERS = [Reader("poi", version, read)]
