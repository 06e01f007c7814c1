/// One column of a sheet.
public struct Column: Hashable, Sendable {
    /// The type of the cells below the header.
    public enum Kind: Sendable {
        /// Strings in text format (`@`): Excel keeps a text that looks like a formula or a number as text, also when the cell
        /// is edited.
        case text
        /// Days as date cells in the format `yyyy-mm-dd`.
        case date
    }

    /// The header cell, at most 255 UTF-16 units.
    public let title: String
    /// The type of the cells.
    public let kind: Kind

    /// A column; of text, unless a kind is given.
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
