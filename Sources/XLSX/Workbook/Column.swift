/// One column of a sheet.
public struct Column: Hashable, Sendable {
    /// The type of the cells below the header.
    public enum Kind: Sendable {
        /// Strings in text format (`@`): Excel keeps a text that looks like a formula or a number as text, also when the cell
        /// is edited.
        case text
        /// Days as date cells in the format `yyyy-mm-dd`.
        case date
        /// Dates with times as cells in the format `yyyy-mm-dd hh:mm:ss`. Needs ``WorkbookOptions/extendedFormats``.
        case dateTime
        /// TRUE and FALSE. Needs ``WorkbookOptions/extendedFormats``.
        case boolean

        /// Whether the kind needs ``WorkbookOptions/extendedFormats``.
        var isExtended: Bool { self == .dateTime || self == .boolean }

        /// The style of the column's empty cells.
        var style: Int {
            switch self {
            case .text: XMLParts.Style.text
            case .date: XMLParts.Style.date
            case .dateTime: XMLParts.Style.dateTime
            case .boolean: XMLParts.Style.boolean
            }
        }

        /// The width in characters that the values need: a day has ten digits and signs, a time 19, and the cell's margins two.
        var minWidth: Int {
            switch self {
            case .text: 0
            case .date: 12
            case .dateTime: 21
            case .boolean: 7
            }
        }
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
