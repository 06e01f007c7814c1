extension Sequence<UInt8> {
    /// Two lower-case hexadecimal digits for each byte.
    package var hexadecimal: String { map(\.hexadecimal).joined() }

    /// The text form of the 16 bytes of a UUID (RFC 9562, 4).
    package var uuid: String {
        enumerated().map { index, byte in ([4, 6, 8, 10].contains(index) ? "-" : "") + byte.hexadecimal }.joined()
    }
}

extension UInt8 {
    fileprivate var hexadecimal: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}

extension String {
    /// Whether this is the text form of a UUID: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    package var isUUID: Bool {
        let bytes = Array(utf8)
        return bytes.count == 36
            && bytes.indices.allSatisfy { index in
                if [8, 13, 18, 23].contains(index) { return bytes[index] == UInt8(ascii: "-") }
                return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index])
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(bytes[index] | 0x20)
            }
    }
}
