/// `Content-Disposition: attachment` with a file's name (RFC 6266, section 4; RFC 8187 for what is not ASCII).
enum ContentDisposition {
    static func attachment(_ name: String) -> String {
        var plain = ""
        var encoded = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            // What may stand in a quoted string without an escape, which browsers treat differently; no `%`, which some decode.
            case "A"..."Z", "a"..."z", "0"..."9", " ", "-", "_", ".", "(", ")", "+", "=", "@", "~", "!", "#", "$", "&", "^":
                plain.unicodeScalars.append(scalar)
            default: plain.append("_")
            }
            for byte in String(scalar).utf8 { encoded += Self.encoded(byte) }
        }
        return "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(encoded)"
    }

    /// RFC 8187, section 3.2.1, `attr-char`.
    private static func encoded(_ byte: UInt8) -> String {
        let scalar = Unicode.Scalar(byte)
        switch scalar {
        case "A"..."Z", "a"..."z", "0"..."9", "!", "#", "$", "&", "+", "-", ".", "^", "_", "`", "|", "~":
            return String(scalar)
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            return "%" + (digits.count < 2 ? "0" : "") + digits
        }
    }
}
