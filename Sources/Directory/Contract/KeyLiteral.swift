/// A key as a constant of an SQL text: the only data that becomes SQL text.
///
/// COPY takes no parameters, and PostgreSQL reads a setting again for each row that it compares. Only a key that is a 64-bit integer
/// or a UUID, exactly as the server writes it, has a literal. A key of the type `text` has none.
struct KeyLiteral: Sendable, Equatable {
    /// The constant, with its type.
    let sql: String

    /// The constant for a key; nil if the key must stay a setting.
    init?(_ key: String, of type: KeyTypes.KeyType) {
        switch type {
        case .bigint:
            guard let number = Int64(key), key.utf8.elementsEqual("\(number)".utf8) else { return nil }
            sql = "'\(number)'::bigint"
        case .uuid:
            guard key.isUUID, !key.utf8.contains(where: { (0x41...0x46).contains($0) }) else { return nil }
            sql = "'\(key)'::uuid"
        case .text:
            return nil
        }
    }
}
