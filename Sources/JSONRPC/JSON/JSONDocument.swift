/// One whole JSON text that ``JSONScanner`` has passed, with the place of each of its values.
///
/// A text is scanned once. Readers use the recorded positions, and unescape only what they need.
package struct JSONDocument: Sendable {
    /// The type of a value; `literal` is true, false or null.
    package enum Kind: Sendable {
        /// The types of RFC 8259, section 3.
        case object, array, string, number, literal
    }

    /// A value or the name of a member. The tokens of a text stand in its order; those of an object are its names, each with its
    /// value behind it.
    struct Token: Sendable {
        let kind: Kind
        /// Of a string: it has escapes.
        let isEscaped: Bool
        let start: Int
        /// Behind the last byte; of an object or array it is known when that is closed.
        var end: Int
        /// The token behind this one and all that is within it.
        var next: Int
    }

    let bytes: [UInt8]
    let tokens: [Token]

    /// - Parameters:
    ///   - bytes: one whole text.
    ///   - depth: how deep arrays and objects may nest.
    ///   - values: how many values it may have. Each costs memory before it can be told whether it is wanted; no request has
    ///     a quarter as many as are allowed for.
    package init(scanning bytes: [UInt8], depth: Int = 32, values: Int = JSONScanner.maxValues) throws(JSONFault) {
        self.bytes = bytes
        tokens = try JSONScanner.scan(bytes.span, depth: depth, values: values)
    }

    /// The value that the text is.
    package var root: JSONNode { JSONNode(document: self, index: 0) }
}

/// A value within a text, or the name of a member.
package struct JSONNode: Sendable {
    private let document: JSONDocument
    private let index: Int

    fileprivate init(document: JSONDocument, index: Int) {
        self.document = document
        self.index = index
    }

    private var token: JSONDocument.Token { document.tokens[index] }

    /// The type of the value.
    package var kind: JSONDocument.Kind { token.kind }

    /// As it was sent.
    package var bytes: ArraySlice<UInt8> { document.bytes[token.start..<token.end] }

    /// Whether it is this literal: `null`, `true` or `false`.
    package func isLiteral(_ word: String) -> Bool {
        token.kind == .literal && bytes.elementsEqual(word.utf8)
    }

    /// An array's elements, or an object's names and values in turn.
    private struct Children: Sequence, IteratorProtocol {
        let document: JSONDocument
        var index: Int
        let end: Int

        mutating func next() -> JSONNode? {
            guard index < end else { return nil }
            defer { index = document.tokens[index].next }
            return JSONNode(document: document, index: index)
        }
    }

    private var children: Children { Children(document: document, index: index + 1, end: token.next) }

    /// The members of an object, in the order in which they were sent; none of another value.
    package var members: some Sequence<(name: JSONNode, value: JSONNode)> {
        var rest = kind == .object ? children : Children(document: document, index: 0, end: 0)
        return AnyIterator {
            guard let name = rest.next(), let value = rest.next() else { return nil }
            return (name, value)
        }
    }

    /// The elements of an array; none of another value.
    package var elements: some Sequence<JSONNode> {
        kind == .array ? children : Children(document: document, index: 0, end: 0)
    }

    /// The beginning of a string: so many scalars, unescaped. nil for another value.
    package func text(upTo count: Int) -> String? {
        kind == .string ? String(decoding: JSONScanner.unescaped(inside.span, upTo: count), as: UTF8.self) : nil
    }

    /// Whether it is a string of exactly these scalars: `String` would also take for equal what only looks equal.
    package func isString(_ text: String) -> Bool {
        guard kind == .string else { return false }
        guard token.isEscaped else { return inside.elementsEqual(text.utf8) }
        return JSONScanner.unescaped(inside.span, upTo: text.unicodeScalars.count + 1).elementsEqual(text.utf8)
    }

    /// A string without its quotes, as it was sent.
    private var inside: ArraySlice<UInt8> { document.bytes[(token.start + 1)..<(token.end - 1)] }

    /// The value of a number that is an integer up to ±(2^53 − 1), however it is written: 5, 5.0 and 5e0 are one. nil for any
    /// other value.
    package var integer: Int? {
        kind == .number ? JSONNumber(bytes.span).integer : nil
    }
}
