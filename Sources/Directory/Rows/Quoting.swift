extension [UInt8] {
    /// Appends a name as an item of a list or a step of a path: quoted as in CSV (RFC 4180, 2.5 to 2.7) where it holds the
    /// separator or a quote, so that what is joined can be split again.
    mutating func append(item name: some Collection<UInt8>, separator: Unicode.Scalar) {
        let quote = UInt8(ascii: "\"")
        guard name.contains(where: { $0 == UInt8(ascii: separator) || $0 == quote }) else {
            append(contentsOf: name)
            return
        }
        append(quote)
        for byte in name {
            if byte == quote { append(quote) }
            append(byte)
        }
        append(quote)
    }
}
