/// File names of workbooks: readable, one component of a path, and valid on every common file system.
public enum WorkbookName {
    /// The largest number of bytes of a name (NAME_MAX of Linux file systems).
    private static let maxBytes = 255
    private static let ending = ".xlsx"
    /// Names that Windows reserves, whatever follows the first dot.
    private static let reserved: Set<String> = [
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
        "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    ]

    /// `administrators-<tenant>-<yyyy-mm-dd>.xlsx`. Characters that a name cannot have become `_`, and a long slug is cut. Two tenants can
    /// therefore have the same name; only people use these names.
    ///
    /// - Parameters:
    ///   - tenant: the slug.
    ///   - day: the day of the data in the tenant's time zone, `yyyy-mm-dd`.
    public static func name(tenant: String, day: String) -> String {
        let (start, end) = ("administrators-", "-\(day)\(ending)")
        return start + cut(component(tenant), to: maxBytes - start.utf8.count - end.utf8.count) + end
    }

    /// The name of the receipt that belongs to a workbook: the workbook's name and `.receipt.json`. The name of a long one is cut.
    public static func receipt(of workbook: String) -> String {
        let end = "\(ending).receipt.json"
        let stem = workbook.hasSuffix(ending) ? String(workbook.dropLast(ending.count)) : workbook
        return cut(stem, to: maxBytes - end.utf8.count) + end
    }

    /// Makes a name from the wire safe to use in a folder: it is not a path, not hidden, not an option of a program, not reserved, and ends
    /// with `.xlsx`. A name that is safe already stays as it is.
    public static func safe(_ name: String) -> String {
        var stem = component(name)
        if stem.lowercased().hasSuffix(ending) { stem.removeLast(ending.count) }
        if stem.isEmpty { stem = "administrators" }
        let first = stem.unicodeScalars.first
        if first == "." || first == "-" || first == "~" || first == " " { stem = "_" + stem }
        let base = stem.prefix { $0 != "." }
        if reserved.contains(base.lowercased()) { stem = "_" + stem }
        return cut(stem, to: maxBytes - ending.utf8.count) + ending
    }

    /// The text with `_` for each scalar that separates paths, is invisible, or is refused by some file system.
    private static func component(_ text: String) -> String {
        // Nearly all slugs are plain, and each job on the wire has a name.
        if text.utf8.allSatisfy({ isPlain($0) }) { return text }
        var result = ""
        for scalar in text.unicodeScalars { result.unicodeScalars.append(isAllowed(scalar) ? scalar : "_") }
        return result
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "/", "\\", ":", "*", "?", "\"", "<", ">", "|": return false
        case " ": return true
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse, .unassigned:
            return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// The longest prefix of whole characters that has at most so many bytes. A first character that is longer is cut between scalars.
    private static func cut(_ text: String, to bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        var left = bytes
        let characters = text.prefix { character in
            left -= character.utf8.count
            return left >= 0
        }
        if !characters.isEmpty { return String(characters) }
        var scalars = String.UnicodeScalarView()
        left = bytes
        for scalar in text.unicodeScalars {
            left -= UTF8.width(scalar)
            if left < 0 { break }
            scalars.append(scalar)
        }
        return String(scalars)
    }
}
