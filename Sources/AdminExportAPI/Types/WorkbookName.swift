/// Names of workbooks, for people: readable, one component of a path, and taken by every file system.
public enum WorkbookName {
    /// Bytes of a name, at most (NAME_MAX of Linux' file systems).
    private static let longest = 255
    private static let ending = ".xlsx"
    /// What no name has before its first dot on Windows, where workbooks are opened.
    private static let reserved: Set<String> = [
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
        "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    ]

    /// `administrators-<tenant>-<yyyy-mm-dd>.xlsx`. What cannot stand in a name is `_`, and a long slug is cut; so names of two tenants
    /// may be the same, which is why nothing but people go by them.
    ///
    /// - Parameters:
    ///   - tenant: the slug.
    ///   - day: the data's day in the tenant's time zone.
    public static func name(tenant: String, day: String) -> String {
        let (start, end) = ("administrators-", "-\(day)\(ending)")
        return start + cut(component(tenant), to: longest - start.utf8.count - end.utf8.count) + end
    }

    /// A name that a service has given, as one that can do no harm in a folder: it leads nowhere else, hides from nobody, is no option of
    /// a program, and is a workbook's. A sound name stays as it is.
    public static func safe(_ name: String) -> String {
        var stem = component(name)
        if stem.lowercased().hasSuffix(ending) { stem.removeLast(ending.count) }
        if stem.isEmpty { stem = "administrators" }
        let first = stem.unicodeScalars.first
        if first == "." || first == "-" || first == "~" || first == " " { stem = "_" + stem }
        let base = stem.prefix { $0 != "." }
        if reserved.contains(base.lowercased()) { stem = "_" + stem }
        return cut(stem, to: longest - ending.utf8.count) + ending
    }

    /// The text with `_` for each scalar that is a separator of paths, is not shown, or is not taken by some file system.
    private static func component(_ text: String) -> String {
        // As nearly all slugs are, and a name is made for each job that is told of.
        if text.utf8.allSatisfy({ isPlain($0) }) { return text }
        var result = ""
        for scalar in text.unicodeScalars { result.unicodeScalars.append(mayStand(scalar) ? scalar : "_") }
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

    private static func mayStand(_ scalar: Unicode.Scalar) -> Bool {
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

    /// As many whole characters as have room in so many bytes. A mark that is longer than a character may be does not keep its letter out.
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
