/// Why a text is not the JSON that is taken here.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The byte where the scan stopped, from 0.
    package let offset: Int
    package let reason: String

    package var description: String { "\(reason) at byte \(offset)" }
}
