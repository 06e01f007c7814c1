internal import AdminExportAPI

/// Decodes wire types from the values that ``ParamCheck`` has read. A decoder of JSON would read the text again, and takes five times
/// as long.
struct ValueDecoder: Decoder, SingleValueDecodingContainer {
    let value: JSONValue

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = value else { throw Self.mismatch("an object") }
        return KeyedDecodingContainer(Members(members: members))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw Self.mismatch("an array") }
        return Elements(elements: elements)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { value == .null }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let scalar: Any? =
            switch value {
            case .string(let text): text
            case .integer(let integer): integer
            case .boolean(let boolean): boolean
            case .null, .array, .object: nil
            }
        if let scalar = scalar as? Value { return scalar }
        // The standard types of strings, numbers and booleans call this method to decode themselves, so their initializers would never
        // return.
        guard !(type is any LosslessStringConvertible.Type) else { throw Self.mismatch("a value of the type \(type)") }
        return try Value(from: self)
    }

    fileprivate static func mismatch(_ expected: String) -> DecodingError {
        DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "expected \(expected)"))
    }

    private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let members: [String: JSONValue]

        var codingPath: [any CodingKey] { [] }
        var allKeys: [Key] { members.keys.compactMap { Key(stringValue: $0) } }

        func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

        func decodeNil(forKey key: Key) throws -> Bool { try member(key).decodeNil() }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            try member(key).decode(type)
        }

        func nestedContainer<NestedKey: CodingKey>(
            keyedBy type: NestedKey.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<NestedKey> {
            try member(key).container(keyedBy: type)
        }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
            try member(key).unkeyedContainer()
        }

        func superDecoder() -> any Decoder { ValueDecoder(value: .object(members)) }

        func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }

        private func member(_ key: Key) throws -> ValueDecoder {
            guard let value = members[key.stringValue] else { throw mismatch("the member \(key.stringValue)") }
            return ValueDecoder(value: value)
        }
    }

    private struct Elements: UnkeyedDecodingContainer {
        let elements: [JSONValue]
        var currentIndex = 0

        var codingPath: [any CodingKey] { [] }
        var count: Int? { elements.count }
        var isAtEnd: Bool { currentIndex == elements.count }

        mutating func decodeNil() throws -> Bool {
            guard !isAtEnd, elements[currentIndex] == .null else { return false }
            currentIndex += 1
            return true
        }

        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }

        mutating func nestedContainer<NestedKey: CodingKey>(
            keyedBy type: NestedKey.Type
        ) throws -> KeyedDecodingContainer<NestedKey> {
            try next().container(keyedBy: type)
        }

        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }

        mutating func superDecoder() throws -> any Decoder { try next() }

        private mutating func next() throws -> ValueDecoder {
            guard !isAtEnd else { throw mismatch("another element") }
            defer { currentIndex += 1 }
            return ValueDecoder(value: elements[currentIndex])
        }
    }
}
