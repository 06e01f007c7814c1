/// Why the scanner refused a text.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The offset of the byte where the scan stopped, counted from 0.
    package let offset: Int
    /// What is wrong, for people.
    package let reason: String

    /// The offset and the reason.
    package var description: String { "at byte \(offset), \(reason)" }
}
