/// A request's id, kept as the bytes that came, so that it goes back exactly as it was.
///
/// Two ids are the same when their values are: `"A"` is `"\u0041"`, and 0 is -0, but 1 is not `"1"`.
package struct RequestID: Hashable, Sendable {
    private enum Value: Hashable {
        case integer(Int)
        /// UTF-8, unescaped: `String` would also take for equal what only looks equal.
        case string([UInt8])
    }

    /// Bytes of a string, as it was sent, without its quotes.
    package static let longest = 128

    package let json: [UInt8]
    private let value: Value

    /// - Returns: nil where the value is neither an integer nor a string of up to ``longest`` bytes.
    init?(_ node: JSONNode) {
        let json = node.bytes
        switch node.kind {
        case .string:
            guard json.count <= Self.longest + 2 else { return nil }
            value = .string(Array((node.text(upTo: Self.longest) ?? "").utf8))
        case .number:
            // Not 1.0 or 1e2: two ways to write one number would be two ids to most programs.
            guard json.count <= Self.longest, let integer = Int(String(decoding: json, as: UTF8.self)) else { return nil }
            value = .integer(integer)
        case .object, .array, .literal:
            return nil
        }
        self.json = Array(json)
    }

    package static func == (left: RequestID, right: RequestID) -> Bool { left.value == right.value }

    package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
