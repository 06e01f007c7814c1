/// One column of a sheet.
public struct Column: Hashable, Sendable {
    public enum Kind: Sendable {
        /// Strings in text format (`@`): what looks like a formula or a number stays text, also when it is edited.
        case text
        /// Days as date cells in the format `yyyy-mm-dd`.
        case date
    }

    public let title: String
    public let kind: Kind

    public init(_ title: String, _ kind: Kind = .text) {
        self.title = title
        self.kind = kind
    }

    /// `A` for 0, `Z` for 25, `AA` for 26.
    static func letters(_ index: Int) -> String {
        let letter = String(UnicodeScalar(UInt8(ascii: "A") + UInt8(index % 26)))
        return index < 26 ? letter : letters(index / 26 - 1) + letter
    }
}
