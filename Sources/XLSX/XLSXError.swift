/// An error of the writer or of a compressor. Errors of the sink pass through unchanged.
public struct XLSXError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason of an error. Programs decide by this.
    public enum Code: Sendable {
        /// The name violates Excel's rules for sheet names: 1 to 31 UTF-16 units, none of `[]:*?/\`, no apostrophe at either
        /// end, not `History`, unique without regard to case.
        case invalidSheetName
        /// No column, more than 16,384 columns, or a title of more than 255 UTF-16 units.
        case invalidColumns
        /// More cells in a row than the sheet has columns, or a cell before the first sheet.
        case unexpectedCell
        /// A part of the workbook reaches 4 GiB, or the workbook has more than 65,534 parts.
        case entryTooLarge
        /// The compression level is not one of zlib's, or zlib failed; the message contains zlib's error number.
        case compression
        /// The writer was called out of order, or after the workbook was finished or had failed.
        case finished
    }

    /// The reason, for programs.
    public let code: Code
    /// What happened, for people.
    public let message: String

    /// An error with a reason and a sentence.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
