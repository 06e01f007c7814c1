/// `Content-Disposition: attachment` with a file name (RFC 6266, section 4; RFC 8187 for names that are not ASCII).
enum ContentDisposition {
    static func attachment(_ name: String) -> String {
        var plain = ""
        var encoded = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            // Only characters that need no escape in a quoted string, because browsers treat escapes differently; no `%`, which some decode.
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
