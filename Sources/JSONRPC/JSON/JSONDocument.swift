/// One JSON text that ``JSONScanner`` has accepted, with the position of each value.
///
/// A text is scanned once. Readers use the recorded positions, and unescape only the strings that they need.
package struct JSONDocument: Sendable {
    /// The type of a value; `literal` is true, false or null.
    package enum Kind: Sendable {
        /// The types of RFC 8259, section 3.
        case object, array, string, number, literal
    }

    /// A value or the name of a member. Tokens are in the order of the text. In an object, each name is followed by its value.
    struct Token: Sendable {
        let kind: Kind
        /// Whether the token is a string with escapes.
        let isEscaped: Bool
        let start: Int
        /// The offset after the last byte. For an object or array, it is set when the scanner reaches its end.
        var end: Int
        /// The index of the token after this one and after everything that it contains.
        var next: Int
    }

    let bytes: [UInt8]
    let tokens: [Token]

    /// - Parameters:
    ///   - bytes: one complete text.
    ///   - depth: how deep arrays and objects may nest.
    ///   - values: the maximum number of values. Each uses memory before it is known whether anything needs it.
    package init(scanning bytes: [UInt8], depth: Int = 32, values: Int = JSONScanner.maxValues) throws(JSONFault) {
        self.bytes = bytes
        tokens = try JSONScanner.scan(bytes.span, depth: depth, values: values)
    }

    /// The outermost value.
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

    /// The text of the value, as sent.
    package var bytes: ArraySlice<UInt8> { document.bytes[token.start..<token.end] }

    /// Whether the value is this literal: `null`, `true` or `false`.
    package func isLiteral(_ word: String) -> Bool {
        token.kind == .literal && bytes.elementsEqual(word.utf8)
    }

    /// The elements of an array, or the names and values of an object in alternation.
    fileprivate struct Children: Sequence, IteratorProtocol, Sendable {
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

    /// The members of an object, in the order in which they were sent. Empty for another value.
    package var members: Members {
        Members(children: kind == .object ? children : Children(document: document, index: 0, end: 0))
    }

    /// The members of an object.
    package struct Members: Sequence, IteratorProtocol, Sendable {
        fileprivate var children: Children

        /// The next member.
        package mutating func next() -> (name: JSONNode, value: JSONNode)? {
            guard let name = children.next(), let value = children.next() else { return nil }
            return (name, value)
        }
    }

    /// The elements of an array. Empty for another value.
    package var elements: some Sequence<JSONNode> {
        kind == .array ? children : Children(document: document, index: 0, end: 0)
    }

    /// The beginning of a string, unescaped, up to this number of scalars; nil for another value.
    package func text(upTo count: Int) -> String? {
        kind == .string ? String(decoding: JSONScanner.unescaped(inside.span, upTo: count), as: UTF8.self) : nil
    }

    /// Whether the value is a string of exactly these scalars. `==` of `String` also accepts canonically equivalent strings.
    package func isString(_ text: String) -> Bool {
        guard kind == .string else { return false }
        guard token.isEscaped else { return inside.elementsEqual(text.utf8) }
        return JSONScanner.unescaped(inside.span, upTo: text.unicodeScalars.count + 1).elementsEqual(text.utf8)
    }

    /// The text of a string without its quotes, as sent.
    private var inside: ArraySlice<UInt8> { document.bytes[(token.start + 1)..<(token.end - 1)] }

    /// The value of a number that is an integer up to ±(2^53 − 1), in any notation: 5, 5.0 and 5e0 are equal. nil for any other
    /// value.
    package var integer: Int? {
        kind == .number ? JSONNumber(bytes.span).integer : nil
    }
}
