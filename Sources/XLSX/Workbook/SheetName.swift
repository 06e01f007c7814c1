/// Excel's rules for sheet names.
enum SheetName {
    static let longest = 31

    /// - Throws: ``XLSXError/Code/invalidSheetName``
    static func validate(_ name: String, among others: [String]) throws(XLSXError) {
        let forbidden = "[]:*?/\\"
        let fault: String? =
            if name.allSatisfy(\.isWhitespace) {
                "is blank"
            } else if name.utf16.count > longest {
                "is longer than \(longest) UTF-16 units"
            } else if name.unicodeScalars.contains(where: { forbidden.unicodeScalars.contains($0) || isNoXML($0) }) {
                "holds one of []:*?/\\ or a control character"
            } else if holdsEscape(name) {
                "holds what readers take for an escaped character"
            } else if name.unicodeScalars.first == "'" || name.unicodeScalars.last == "'" {
                "starts or ends with an apostrophe"
            } else if name.lowercased() == "history" {
                "is reserved by Excel"
            } else if isTaken(name, among: others) {
                "is there already"
            } else {
                nil
            }
        if let fault { throw XLSXError(.invalidSheetName, "the sheet name \"\(name)\" \(fault)") }
    }

    /// Whether the name contains `_xHHHH_`.
    private static func holdsEscape(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return bytes.indices.dropLast(6).contains { at in
            bytes[at] == UInt8(ascii: "_") && bytes[at + 1] | 0x20 == UInt8(ascii: "x") && bytes[at + 6] == UInt8(ascii: "_")
                && bytes[(at + 2)..<(at + 6)].allSatisfy(CellText.isHexadecimal)
        }
    }

    /// Whether XML 1.0 (2.2, `Char`) does not allow the scalar.
    private static func isNoXML(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || scalar.value | 1 == 0xFFFF
    }

    /// Whether a sheet has this name. Excel compares names without regard to case.
    static func isTaken(_ name: String, among others: [String]) -> Bool {
        others.contains { $0.lowercased() == name.lowercased() }
    }

    /// `Name (2)`; the name is cut if the number would not fit.
    static func continuation(of name: String, number: Int) -> String {
        let suffix = " (\(number))"
        var base = name
        while base.utf16.count + suffix.utf16.count > longest { base.removeLast() }
        return base + suffix
    }

    /// The name as in a reference: quoted, with apostrophes doubled.
    static func quoted(_ name: String) -> String {
        // By scalars: an apostrophe with a combining mark is another Character, but still an apostrophe for Excel.
        var result = String.UnicodeScalarView("'".unicodeScalars)
        for scalar in name.unicodeScalars {
            if scalar == "'" { result.append(scalar) }
            result.append(scalar)
        }
        result.append("'")
        return String(result)
    }
}
