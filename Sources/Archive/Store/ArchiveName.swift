private import Crypto

/// Where the archive of one epoch of one job lies below the store's root:
/// `<tenant>/<yyyy>/<mm>/<job>.<epoch>.xlsx.zst`.
///
/// Made from the job's row alone. No two epochs share a name, so a worker that lost its job cannot touch the winner's.
package struct ArchiveName: Hashable, Sendable {
    package let directories: [String]
    package let file: String

    /// - Parameters:
    ///   - tenant: the slug; bytes other than letters, digits, `_` and `-` are percent-encoded, so it is one component;
    ///     see ``component(_:)``.
    ///   - year: of the job's creation, in UTC.
    ///   - month: of the job's creation, in UTC, 1 to 12.
    package init(tenant: String, year: Int, month: Int, job: String, epoch: Int) {
        directories = [Self.component(tenant), String(year), month < 10 ? "0\(month)" : "\(month)"]
        file = "\(Self.component(job)).\(epoch).xlsx.zst"
    }

    /// Bytes of a name that every file system for archives takes (NAME_MAX).
    private static let longest = 255

    /// One path component that stands for the text, and for no other: percent-encoded, and where that is too long cut before an
    /// escape and closed by `~`, which no encoded text holds, and the SHA-256 of the text.
    package static func component(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                bytes.append(byte)
            default:
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        guard bytes.count > longest else { return String(decoding: bytes, as: UTF8.self) }
        let digest = SHA256.hash(data: Array(text.utf8)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        var kept = bytes.prefix(longest - 1 - digest.count)
        if let escape = kept.suffix(2).lastIndex(of: UInt8(ascii: "%")) { kept = kept[..<escape] }
        return String(decoding: kept + [UInt8(ascii: "~")] + digest, as: UTF8.self)
    }
}
