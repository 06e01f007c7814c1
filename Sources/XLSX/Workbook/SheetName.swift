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
            } else if name.unicodeScalars.contains(where: { forbidden.unicodeScalars.contains($0) || $0.value < 0x20 }) {
                "holds one of []:*?/\\ or a control character"
            } else if name.hasPrefix("'") || name.hasSuffix("'") {
                "starts or ends with an apostrophe"
            } else if name.lowercased() == "history" {
                "is reserved by Excel"
            } else if others.contains(where: { $0.lowercased() == name.lowercased() }) {
                "is there already"
            } else {
                nil
            }
        if let fault { throw XLSXError(.invalidSheetName, "the sheet name \"\(name)\" \(fault)") }
    }

    /// `Name (2)`, the name cut where the number would not fit.
    static func continuation(of name: String, number: Int) -> String {
        let suffix = " (\(number))"
        var base = name
        while base.utf16.count + suffix.utf16.count > longest { base.removeLast() }
        return base + suffix
    }

    /// As a reference has it: quoted, with apostrophes doubled.
    static func quoted(_ name: String) -> String {
        "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}
