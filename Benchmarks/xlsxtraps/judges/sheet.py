"""C: the parts of the package and the structure of a sheet."""
import re

from xlsxtraps.judges.trial import show
from xlsxtraps.package import EXTENDED, MAIN, area, units

WORKSHEET = """
    sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges scenarios
    autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr conditionalFormatting
    dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks customProperties
    cellWatches ignoredErrors smartTags drawing legacyDrawing legacyDrawingHF drawingHF picture oleObjects controls
    webPublishItems tableParts extLst
""".split()
WORKBOOK = """
    fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences
    definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr smartTagTypes webPublishing
    fileRecoveryPr webPublishObjects extLst
""".split()
STYLESHEET = "numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors extLst".split()
SHEET_ML = "application/vnd.openxmlformats-officedocument.spreadsheetml."


def element_order(trial):
    package = trial.package
    for root, order in [(package.xml(part), WORKSHEET) for _, part in package.sheets] + [
            (package.book, WORKBOOK), (package.styles, STYLESHEET)]:
        names = [child.tag.removeprefix(MAIN) for child in root]
        unknown = [name for name in names if name not in order]
        if unknown:
            return f"unknown <{unknown[0]}>"
        for earlier, later in zip(names, names[1:]):
            if order.index(earlier) > order.index(later):
                return f"<{later}> after <{earlier}>"
    return None


def styles(trial):
    root = trial.package.styles
    if root is None:
        return "no styles part"
    for tag in ("fonts", "fills", "borders", "cellStyleXfs", "cellXfs", "cellStyles"):
        table = root.find(MAIN + tag)
        if table is None or len(table) == 0:
            return f"no <{tag}>"
        if table.get("count") not in (None, str(len(table))):
            return f"<{tag}> counts {table.get('count')}, holds {len(table)}"
    patterns = [fill.find(f"{MAIN}patternFill") for fill in root.find(f"{MAIN}fills")]
    if [pattern.get("patternType", "none") for pattern in patterns[:2] if pattern is not None] != ["none", "gray125"]:
        return "the first fills are not none and gray125"
    if not any(item.get("builtinId") == "0" for item in root.iter(f"{MAIN}cellStyle")):
        return "no style Normal"
    return indices(root) or used_styles(trial.package, len(root.find(f"{MAIN}cellXfs")))


def indices(root):
    size = {name: len(root.find(MAIN + tag)) for name, tag in [
        ("fontId", "fonts"), ("fillId", "fills"), ("borderId", "borders"), ("xfId", "cellStyleXfs")]}
    formats = [item.get("numFmtId") for item in root.iter(f"{MAIN}numFmt")]
    if len(set(formats)) != len(formats):
        return "a number format id twice"
    for xf in root.iter(f"{MAIN}xf"):
        for name, count in size.items():
            if not 0 <= int(xf.get(name, 0)) < count:
                return f"{name} {xf.get(name)} of {count}"
        if int(xf.get("numFmtId", 0)) >= 164 and xf.get("numFmtId") not in formats:
            return f"number format {xf.get('numFmtId')} is not there"
    return None


def used_styles(package, count):
    for _, part in package.sheets:
        used = {cell.style for cell in package.cells(part)}
        used |= {int(column.get("style", 0)) for column in package.xml(part).iter(f"{MAIN}col")}
        if max(used) >= count:
            return f"style {max(used)} of {count}"
    return None


def parts(trial):
    package = trial.package
    for name in package.overrides:
        if name[1:] not in package.names:
            return f"{name[1:]} is declared and missing"
    for name in package.names:
        if name != "[Content_Types].xml" and not package.content_type(name):
            return f"{name} has no content type"
        if name.endswith(".rels"):
            source = name.replace("_rels/", "").removesuffix(".rels")
            for _, _, target in package.relations(source):
                if target not in package.names:
                    return f"{name} leads to {target}, which is missing"
    kinds = [(package.book_part, "sheet.main+xml")] + [(part, "worksheet+xml") for _, part in package.sheets]
    wrong = [part for part, kind in kinds if package.content_type(part) != SHEET_ML + kind]
    return f"{wrong[0]} has the wrong content type" if wrong else None


def dimension(trial):
    found = trial.package.xml(trial.package.sheets[0][1]).find(f"{MAIN}dimension")
    if found is None:
        return None
    cells = list(trial.package.grid())
    box = tuple(pick(values) for pick in (min, max) for values in zip(*cells))
    return None if area(found.get("ref")) == box else f"says {found.get('ref')}, cells lie in {box}"


def extent(trial):
    """The last row and column of the input, including the header row."""
    return len(trial.lines), len(trial.lines[0]["columns"])


def filter_name(trial):
    name, part = trial.package.sheets[0]
    found = trial.package.xml(part).find(f"{MAIN}autoFilter")
    if found is None:
        return "no filter"
    if area(found.get("ref")) != (1, 1) + extent(trial):
        return f"filter on {found.get('ref')}"
    hidden = [item for item in trial.package.book.iter(f"{MAIN}definedName") if item.get("name") == "_xlnm._FilterDatabase"]
    if not hidden or hidden[0].get("hidden") != "1" or hidden[0].get("localSheetId") != "0":
        return "no hidden _xlnm._FilterDatabase"
    sheet, _, reference = hidden[0].text.rpartition("!")
    if sheet not in (name, quoted(name)) or "$" not in reference or area(reference) != area(found.get("ref")):
        return f"_FilterDatabase is {hidden[0].text}"
    return None


def quoted(name):
    return "'" + name.replace("'", "''") + "'"


def sheet_names(trial):
    seen = set()
    for name, _ in trial.package.sheets:
        if units(name) > 31:
            return f"writes a name of {units(name)} units"
        if not name.strip() or re.search(r"[\[\]:*?/\\]", name) or name[0] == "'" or name[-1] == "'":
            return f"writes the name {show(name)}"
        if name.lower() in seen:
            return f"writes {show(name)} twice"
        seen.add(name.lower())
    return None


def reserved_name(trial):
    taken = [name for name, _ in trial.package.sheets if name.lower() == "history"]
    return f"writes the name {taken[0]}" if taken else sheet_names(trial)


def quoted_name(trial):
    wanted = trial.lines[0]["sheet"]
    if trial.package.sheets[0][0] != wanted:
        return f"sheet is named {show(trial.package.sheets[0][0])}"
    names = [item.text for item in trial.package.book.iter(f"{MAIN}definedName")]
    wrong = [text for text in names if not text.startswith(quoted(wanted) + "!")]
    return f"refers to {wrong[0]}" if wrong else None if names else "no defined name to judge"


def app_version(trial):
    kinds = [target for _, kind, target in trial.package.relations("") if kind.endswith("/extended-properties")]
    if not kinds:
        return None
    version = trial.package.xml(kinds[0]).findtext(f"{EXTENDED}AppVersion")
    return None if version is None or re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,4}", version) else f"AppVersion {version}"


def frozen_pane(trial):
    view = trial.package.xml(trial.package.sheets[0][1]).find(f"{MAIN}sheetViews/{MAIN}sheetView")
    pane = view.find(f"{MAIN}pane") if view is not None else None
    if pane is None or pane.get("state") != "frozen" or pane.get("ySplit") != "1":
        return "the header is not frozen"
    panes = [item.get("pane", "topLeft") for item in view.iter(f"{MAIN}selection")]
    return None if pane.get("activePane") in panes else f"active pane {pane.get('activePane')}, selections in {panes}"
