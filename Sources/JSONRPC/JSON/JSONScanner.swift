/// Checks that a text is strict JSON (RFC 8259, I-JSON RFC 7493), before any decoder sees it.
///
/// Refused beyond the grammar: nesting over the limit, a name twice in one object (after unescaping, by code points), a lone
/// surrogate, bytes that are no UTF-8, a byte order mark, an integer beyond ±(2^53 − 1), a number that no double comes
/// near, more than 65,536 values. The scan is a loop with a stack of its own: no text makes it recurse.
package struct JSONScanner {
    /// What stands at the top of a text, with the places of its parts.
    package enum Shape: Equatable, Sendable {
        case object([Member])
        case array([Range<Int>])
        case string
        case number
        case literal
    }

    package struct Member: Equatable, Sendable {
        /// Unescaped.
        package let name: String
        /// The value's bytes.
        package let value: Range<Int>
    }

    private enum Expected {
        case value, valueOrEnd, nameOrEnd, name, colon, commaOrEnd, end
    }

    private struct Container {
        let isObject: Bool
        /// UTF-8: `String` would take names for equal that other programs tell apart.
        var names: Set<[UInt8]> = []
        var name = ""
        var valueStart = 0
    }

    /// Each value costs memory before it can be told whether it is wanted.
    private static let mostValues = 65_536

    let bytes: ArraySlice<UInt8>
    private let depth: Int
    private var values = 0
    var at: Int
    private var stack: [Container] = []
    private var expected = Expected.value
    private var members: [Member] = []
    private var elements: [Range<Int>] = []
    private var shape = Shape.literal

    /// - Parameters:
    ///   - bytes: one whole text; ranges in the result are indices of it.
    ///   - depth: how deep arrays and objects may nest.
    package static func scan(_ bytes: ArraySlice<UInt8>, depth: Int = 32) throws(JSONFault) -> Shape {
        var scanner = JSONScanner(bytes: bytes, depth: depth)
        return try scanner.run()
    }

    /// The text of a JSON string that has been scanned; nil for another value.
    package static func string(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.first == UInt8(ascii: "\"") else { return nil }
        var scanner = JSONScanner(bytes: bytes, depth: 1)
        return (try? scanner.string()).map { String(decoding: $0, as: UTF8.self) }
    }

    private init(bytes: ArraySlice<UInt8>, depth: Int) {
        self.bytes = bytes
        self.depth = depth
        at = bytes.startIndex
    }

    func fault(_ reason: String) -> JSONFault {
        JSONFault(offset: at - bytes.startIndex, reason: reason)
    }

    private mutating func run() throws(JSONFault) -> Shape {
        guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else { throw fault("a byte order mark stands before the text") }
        while true {
            skipSpace()
            guard at < bytes.endIndex else {
                guard expected == .end else { throw fault("the text ends too early") }
                return shape
            }
            let byte = bytes[at]
            switch expected {
            case .value:
                try value(byte)
            case .valueOrEnd:
                if byte == UInt8(ascii: "]") { try close() } else { try value(byte) }
            case .nameOrEnd:
                if byte == UInt8(ascii: "}") { try close() } else { try name(byte) }
            case .name:
                try name(byte)
            case .colon:
                guard byte == UInt8(ascii: ":") else { throw fault("a colon is missing") }
                at += 1
                expected = .value
            case .commaOrEnd:
                try commaOrEnd(byte)
            case .end:
                throw fault("there is more after the value")
            }
        }
    }

    private mutating func skipSpace() {
        while at < bytes.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }

    // MARK: Structure

    private mutating func value(_ byte: UInt8) throws(JSONFault) {
        let start = at
        values += 1
        guard values <= Self.mostValues else { throw fault("there are more than \(Self.mostValues) values") }
        if !stack.isEmpty { stack[stack.count - 1].valueStart = start }
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard stack.count < depth else { throw fault("arrays and objects nest deeper than \(depth)") }
            let isObject = byte == UInt8(ascii: "{")
            stack.append(Container(isObject: isObject))
            at += 1
            expected = isObject ? .nameOrEnd : .valueOrEnd
        case UInt8(ascii: "\""):
            _ = try string()
            ended(start, .string)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
            ended(start, .number)
        case UInt8(ascii: "t"): try literal("true", start)
        case UInt8(ascii: "f"): try literal("false", start)
        case UInt8(ascii: "n"): try literal("null", start)
        default: throw fault("a value is missing")
        }
    }

    private mutating func literal(_ word: StaticString, _ start: Int) throws(JSONFault) {
        let length = word.utf8CodeUnitCount
        let matches = (0..<length).allSatisfy { at + $0 < bytes.endIndex && bytes[at + $0] == word.utf8Start[$0] }
        guard matches else { throw fault("a value is missing") }
        at += length
        ended(start, .literal)
    }

    /// A value is complete: note its place where it belongs to the top.
    private mutating func ended(_ start: Int, _ kind: Shape) {
        switch stack.count {
        case 0:
            shape = kind
            expected = .end
            return
        case 1 where stack[0].isObject:
            members.append(Member(name: stack[0].name, value: start..<at))
        case 1:
            elements.append(start..<at)
        default:
            break
        }
        expected = .commaOrEnd
    }

    private mutating func commaOrEnd(_ byte: UInt8) throws(JSONFault) {
        let isObject = stack[stack.count - 1].isObject
        switch byte {
        case UInt8(ascii: ","):
            at += 1
            expected = isObject ? .name : .value
        case UInt8(ascii: "}") where isObject, UInt8(ascii: "]") where !isObject:
            try close()
        default:
            throw fault("a comma or the end of the \(isObject ? "object" : "array") is missing")
        }
    }

    private mutating func close() throws(JSONFault) {
        at += 1
        let container = stack.removeLast()
        if stack.isEmpty {
            shape = container.isObject ? .object(members) : .array(elements)
            expected = .end
        } else {
            ended(stack[stack.count - 1].valueStart, .literal)
        }
    }

    private mutating func name(_ byte: UInt8) throws(JSONFault) {
        guard byte == UInt8(ascii: "\"") else { throw fault("a name in quotes is missing") }
        let start = at
        let name = try string()
        guard stack[stack.count - 1].names.insert(name).inserted else {
            at = start
            throw fault("a name stands twice in one object")
        }
        stack[stack.count - 1].name = String(decoding: name, as: UTF8.self)
        expected = .colon
    }
}
