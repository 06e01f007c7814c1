/// One Unicode scalar decoded from UTF-8, or a maximal ill-formed part.
///
/// Well-formedness is table 3-7 of the Unicode Standard, section 3.9: no overlong form, no surrogate, nothing above
/// U+10FFFF.
struct UTF8Scalar {
    /// The value that stands for an ill-formed part.
    static let illFormed: UInt32 = .max

    let value: UInt32
    /// The number of bytes, 1 to 4.
    let length: Int

    /// UTF-16 units of the scalar, or of the U+FFFD that is written for an ill-formed part.
    @inline(__always)
    var utf16Width: Int { value > 0xFFFF && value != UTF8Scalar.illFormed ? 2 : 1 }

    /// Decodes at an index below the count.
    @inline(__always)
    init(at index: Int, in text: Span<UInt8>) {
        let lead = text[index]
        let left = text.count - index
        var lower: UInt8 = 0x80
        var upper: UInt8 = 0xBF
        let needed: Int
        switch lead {
        case 0..<0x80:
            value = UInt32(lead)
            length = 1
            return
        case 0xC2...0xDF:
            needed = 2
        case 0xE0...0xEF:
            needed = 3
            if lead == 0xE0 { lower = 0xA0 }
            if lead == 0xED { upper = 0x9F }
        case 0xF0...0xF4:
            needed = 4
            if lead == 0xF0 { lower = 0x90 }
            if lead == 0xF4 { upper = 0x8F }
        default:
            value = UTF8Scalar.illFormed
            length = 1
            return
        }
        var scalar = UInt32(lead) & (0x7F >> UInt32(needed))
        var taken = 1
        while taken < needed {
            guard taken < left, text[index + taken] >= lower, text[index + taken] <= upper else {
                value = UTF8Scalar.illFormed
                length = taken
                return
            }
            scalar = scalar << 6 | UInt32(text[index + taken] & 0x3F)
            lower = 0x80
            upper = 0xBF
            taken += 1
        }
        value = scalar
        length = needed
    }
}
