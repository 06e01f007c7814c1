extension JSONScanner {
    // MARK: Strings

    /// Reads a string and gives it unescaped, in UTF-8.
    mutating func string() throws(JSONFault) -> [UInt8] {
        at += 1
        var result: [UInt8] = []
        while true {
            // Most of a text, and all of a file in base64, needs no second look.
            let plain = bytes[at...].prefix {
                $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
            result.append(contentsOf: plain)
            at = plain.endIndex
            guard at < bytes.endIndex else { throw fault("a string does not end") }
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return result
            case UInt8(ascii: "\\"):
                let scalar = try escape()
                result.append(contentsOf: Array(String(scalar).utf8))
            case 0..<0x20:
                throw fault("a control character stands in a string; write it as an escape")
            default:
                let length = try sequence(byte)
                result.append(contentsOf: bytes[at..<(at + length)])
                at += length
            }
        }
    }

    /// The length of the well-formed UTF-8 sequence here (Unicode, table 3-7).
    private func sequence(_ lead: UInt8) throws(JSONFault) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { second = 0xA0...0xBF }
            if lead == 0xED { second = 0x80...0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { second = 0x90...0xBF }
            if lead == 0xF4 { second = 0x80...0x8F }
        default: throw fault("a byte is not UTF-8")
        }
        guard at + length <= bytes.endIndex, second.contains(bytes[at + 1]),
            (2..<length).allSatisfy({ (0x80...0xBF).contains(bytes[at + $0]) })
        else { throw fault("a byte is not UTF-8") }
        return length
    }

    private mutating func escape() throws(JSONFault) -> Unicode.Scalar {
        guard at + 1 < bytes.endIndex else { throw fault("a string does not end") }
        let simple: [UInt8: Unicode.Scalar] = [
            UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
            UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
        ]
        if let scalar = simple[bytes[at + 1]] {
            at += 2
            return scalar
        }
        guard bytes[at + 1] == UInt8(ascii: "u") else { throw fault("an escape is unknown") }
        let start = at
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, at + 1 < bytes.endIndex, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else {
            at = start
            throw fault("a surrogate stands alone")
        }
        let second = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else {
            at = start
            throw fault("a surrogate stands alone")
        }
        return scalar
    }

    /// `\uXXXX`
    private mutating func hexadecimal() throws(JSONFault) -> UInt32 {
        guard at + 6 <= bytes.endIndex else { throw fault("an escape has not four digits") }
        var value: UInt32 = 0
        for byte in bytes[(at + 2)..<(at + 6)] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw fault("an escape has not four digits")
            }
            value = value << 4 | UInt32(digit)
        }
        at += 6
        return value
    }

    // MARK: Numbers

    mutating func number() throws(JSONFault) {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        let whole = digits()
        guard !whole.isEmpty else { throw fault("a number has no digits") }
        guard whole.count == 1 || whole.first != UInt8(ascii: "0") else {
            at = start
            throw fault("a number starts with 0")
        }
        var isInteger = true
        if at < bytes.endIndex, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard !digits().isEmpty else { throw fault("a number has no digits after the point") }
        }
        if at < bytes.endIndex, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.endIndex, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard !digits().isEmpty else { throw fault("a number has no digits in its exponent") }
        }
        guard isInteger else {
            guard Double(String(decoding: bytes[start..<at], as: UTF8.self))?.isFinite == true else {
                at = start
                throw fault("a number is beyond what a double holds")
            }
            return
        }
        guard let value = Int(String(decoding: whole, as: UTF8.self)), value <= 9_007_199_254_740_991 else {
            at = start
            throw fault("an integer is beyond 2^53 - 1; send it as a string")
        }
    }

    private mutating func digits() -> ArraySlice<UInt8> {
        let start = at
        while at < bytes.endIndex, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) { at += 1 }
        return bytes[start..<at]
    }
}
