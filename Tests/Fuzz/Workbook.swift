private import Foundation
private import FoundationXML
private import XLSXTestSupport

/// The cells of a workbook as texts, read with libxml2: the rows of the sheets in order, without trailing empty cells.
struct Workbook {
    let sheets: [[[String]]]

    init(_ bytes: [UInt8]) throws {
        let zip = try ZipReader(bytes)
        let strings = Reader()
        try strings.parse(zip.text("xl/sharedStrings.xml"))
        let book = Reader()
        try book.parse(zip.text("xl/workbook.xml"))
        for part in [
            "[Content_Types].xml", "docProps/core.xml", "docProps/app.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels",
        ] {
            try Reader().parse(zip.text(part))
        }
        sheets = try (1...max(1, book.sheets)).map { number in
            let sheet = Reader()
            sheet.strings = strings.items
            try sheet.parse(zip.text("xl/worksheets/sheet\(number).xml"))
            return sheet.rows
        }
    }

    private final class Reader: NSObject, XMLParserDelegate {
        var strings: [String] = []
        var items: [String] = []
        var rows: [[String]] = []
        var sheets = 0
        private var text = ""
        private var type = ""
        private var column = 0

        func parse(_ xml: String) throws {
            let parser = XMLParser(data: Data(xml.utf8))
            parser.delegate = self
            guard parser.parse() else { fail("a part is not well-formed: \(parser.parserError.map { "\($0)" } ?? "")") }
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            switch name {
            case "sheet": sheets += 1
            case "row":
                rows.append([])
                column = 0
                if let place = attributes["r"], place != "\(rows.count)" {
                    fail("row \(rows.count) has the number \(place)")
                }
            case "c":
                type = attributes["t"] ?? "n"
                if let place = attributes["r"] {
                    let letters = place.prefix { $0.isLetter }
                    let target = letters.utf8.reduce(0) { $0 * 26 + Int($1) - 64 } - 1
                    guard target >= column, place == "\(letters)\(rows.count)" else {
                        fail("a cell in row \(rows.count) is at \(place)")
                    }
                    column = target
                }
                text = ""
            case "t", "v", "f":
                if name == "f" { fail("a formula") }
                text = ""
            default: break
            }
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            text += string
        }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
            switch name {
            case "si": items.append(EscaperCase.unescaped(text))
            case "c":
                if !text.isEmpty {
                    while rows[rows.count - 1].count < column { rows[rows.count - 1].append("") }
                    rows[rows.count - 1].append(value)
                }
                column += 1
                text = ""
            default: break
            }
        }

        private var value: String {
            switch type {
            case "s":
                guard let index = Int(text), strings.indices.contains(index) else {
                    fail("there is no shared string \(text)")
                }
                return strings[index]
            case "inlineStr": return EscaperCase.unescaped(text)
            default: return text
            }
        }
    }
}
