/// What the writer refuses, and what a compressor reports. Errors of the sink pass through unchanged.
public struct XLSXError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The name breaks the rules of `ST_Xstring` sheet names in Excel: 1 to 31 UTF-16 units, none of `[]:*?/\`,
        /// no apostrophe at either end, not `History`, unique without regard to case.
        case invalidSheetName
        /// No column, more than 16,384, or a title over 255 characters.
        case invalidColumns
        /// More cells in a row than the sheet has columns, or a cell before the first sheet.
        case unexpectedCell
        /// An entry or the whole file outgrew what its header can say.
        case entryTooLarge
        /// The level is none of zlib's, or zlib gave an error, whose number the message has.
        case compression
        /// The workbook has been finished or has failed.
        case finished
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
