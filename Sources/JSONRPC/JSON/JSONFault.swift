/// Why a text is not the JSON that is taken here.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The byte where the scan stopped, from 0.
    package let offset: Int
    /// What is wrong, in words.
    package let reason: String

    /// The reason and the offset.
    package var description: String { "\(reason) at byte \(offset)" }
}
