/// The parts of the package that are small and nearly constant (ECMA-376 Part 1, 12.3 and 18; Part 2, 10).
///
/// The parts are ordered for one pass: a part comes as early as its content is known. The content types do not name the sheets,
/// whose number is not known yet: `xml` is a worksheet by default, and each other part has an override.
enum XMLParts {
    static let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
    static let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    private static let office = "http://schemas.openxmlformats.org/officeDocument/2006"
    private static let package = "http://schemas.openxmlformats.org/package/2006"

    static let contentTypes: String = {
        let sheetML = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        let overrides = [
            ("/docProps/app.xml", "application/vnd.openxmlformats-officedocument.extended-properties+xml"),
            ("/docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml"),
            ("/xl/sharedStrings.xml", "\(sheetML).sharedStrings+xml"),
            ("/xl/styles.xml", "\(sheetML).styles+xml"),
            ("/xl/workbook.xml", "\(sheetML).sheet.main+xml"),
        ]
        return declaration + "<Types xmlns=\"\(package)/content-types\">"
            + "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
            + "<Default Extension=\"xml\" ContentType=\"\(sheetML).worksheet+xml\"/>"
            + overrides.map { "<Override PartName=\"\($0.0)\" ContentType=\"\($0.1)\"/>" }.joined() + "</Types>"
    }()

    static let packageRelationships = relationships([
        ("\(office)/relationships/officeDocument", "xl/workbook.xml"),
        ("\(package)/relationships/metadata/core-properties", "docProps/core.xml"),
        ("\(office)/relationships/extended-properties", "docProps/app.xml"),
    ])

    static func appProperties(_ properties: WorkbookProperties) -> String {
        declaration + "<Properties xmlns=\"\(office)/extended-properties\">"
            + "<Application>\(escaped(properties.application))</Application>"
            + "<AppVersion>\(escaped(properties.applicationVersion))</AppVersion></Properties>"
    }

    static func coreProperties(_ properties: WorkbookProperties) -> String {
        let created = CivilDate.iso8601(secondsSince1970: properties.created)
        return declaration + "<cp:coreProperties xmlns:cp=\"\(package)/metadata/core-properties\""
            + " xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\""
            + " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
            + "<dc:title>\(escaped(properties.title))</dc:title>"
            + "<dc:creator>\(escaped(properties.creator))</dc:creator>"
            + "<dcterms:created xsi:type=\"dcterms:W3CDTF\">\(created)</dcterms:created>"
            + "<dcterms:modified xsi:type=\"dcterms:W3CDTF\">\(created)</dcterms:modified></cp:coreProperties>"
    }

    /// Indices into `cellXfs` of ``styles``.
    enum Style {
        static let text = 1
        static let date = 2
        static let header = 3
        // From here on, only in extended formats.
        static let dateTime = 4
        static let boolean = 5
        static let label = 6
        static let wrapped = 7
    }

    /// The tables that Excel expects, with the two fills that it reserves (18.8.21).
    ///
    /// - Parameter isExtended: with the formats of times, booleans and labelled rows.
    static func styles(isExtended: Bool) -> String {
        let times =
            isExtended ? "<numFmt numFmtId=\"165\" formatCode=\"yyyy\\-mm\\-dd\\ hh:mm:ss\"/>" : ""
        let further =
            isExtended
            ? "<xf numFmtId=\"165\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\""
                + " applyAlignment=\"1\"><alignment horizontal=\"left\"/></xf>"
                + "<xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyAlignment=\"1\">"
                + "<alignment horizontal=\"left\"/></xf>"
                + "<xf numFmtId=\"49\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\""
                + " applyFont=\"1\" applyAlignment=\"1\"><alignment vertical=\"top\" wrapText=\"1\"/></xf>"
                + "<xf numFmtId=\"49\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\""
                + " applyAlignment=\"1\"><alignment vertical=\"top\" wrapText=\"1\"/></xf>" : ""
        return declaration + "<styleSheet xmlns=\"\(main)\">"
            + "<numFmts count=\"\(isExtended ? 2 : 1)\"><numFmt numFmtId=\"164\" formatCode=\"yyyy\\-mm\\-dd\"/>\(times)</numFmts>"
            + "<fonts count=\"2\">"
            + "<font><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font>"
            + "<font><b/><sz val=\"11\"/><name val=\"Calibri\"/><family val=\"2\"/></font></fonts>"
            + "<fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>"
            + "<fill><patternFill patternType=\"gray125\"/></fill></fills>"
            + "<borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>"
            + "<cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>"
            + "<cellXfs count=\"\(isExtended ? 8 : 4)\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>"
            + "<xf numFmtId=\"49\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>"
            // Dates are aligned to the left, like the header and the texts. To the right, a date would touch the text of the next
            // column.
            + "<xf numFmtId=\"164\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\""
            + " applyAlignment=\"1\"><alignment horizontal=\"left\"/></xf>"
            + "<xf numFmtId=\"49\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\""
            + " applyFont=\"1\"/>\(further)</cellXfs>"
            + "<cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles>"
            + "<dxfs count=\"0\"/><tableStyles count=\"0\"/></styleSheet>"
    }

    /// The workbook part, with the filter's hidden name (LibreOffice ignores a filter without it: tdf#118592) and the
    /// header as print title of each sheet.
    static func workbook(_ sheets: [FinishedSheet]) -> String {
        var xml = declaration + "<workbook xmlns=\"\(main)\" xmlns:r=\"\(office)/relationships\">"
        xml += "<bookViews><workbookView/></bookViews><sheets>"
        for (index, sheet) in sheets.enumerated() {
            xml += "<sheet name=\"\(escaped(sheet.name))\" sheetId=\"\(index + 1)\" r:id=\"rId\(index + 1)\"/>"
        }
        xml += "</sheets><definedNames>"
        for (index, sheet) in sheets.enumerated() where sheet.layout == .table {
            let reference = escaped(SheetName.quoted(sheet.name))
            xml +=
                "<definedName name=\"_xlnm._FilterDatabase\" localSheetId=\"\(index)\" hidden=\"1\">"
                + "\(reference)!$A$1:$\(sheet.lastColumn)$\(sheet.lastRow)</definedName>"
        }
        for (index, sheet) in sheets.enumerated() {
            xml +=
                "<definedName name=\"_xlnm.Print_Titles\" localSheetId=\"\(index)\">"
                + "\(escaped(SheetName.quoted(sheet.name)))!$1:$1</definedName>"
        }
        return xml + "</definedNames></workbook>"
    }

    static func workbookRelationships(sheets: Int) -> String {
        relationships(
            (1...sheets).map { ("\(office)/relationships/worksheet", "worksheets/sheet\($0).xml") } + [
                ("\(office)/relationships/styles", "styles.xml"),
                ("\(office)/relationships/sharedStrings", "sharedStrings.xml"),
            ])
    }

    private static func relationships(_ items: [(type: String, target: String)]) -> String {
        var xml = declaration + "<Relationships xmlns=\"\(package)/relationships\">"
        for (index, item) in items.enumerated() {
            xml += "<Relationship Id=\"rId\(index + 1)\" Type=\"\(item.type)\" Target=\"\(item.target)\"/>"
        }
        return xml + "</Relationships>"
    }

    /// Escapes text for an element or a quoted attribute of these parts, which have no `_xHHHH_`: characters that XML does not
    /// allow are left out.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": continue
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
