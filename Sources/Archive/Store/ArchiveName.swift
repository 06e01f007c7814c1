private import Crypto

/// The path of the archive of one epoch of a job, relative to the root of the store:
/// `<tenant>/<yyyy>/<mm>/<job>.<epoch>.xlsx.zst`.
///
/// It depends only on the job's row. No two epochs have the same name, so a worker that lost its job cannot change the file of
/// the worker that has it now.
package struct ArchiveName: Hashable, Sendable {
    /// The directories, from the root down: tenant, year and month.
    package let directories: [String]
    /// The name of the file.
    package let file: String

    /// - Parameters:
    ///   - tenant: the slug; bytes other than letters, digits, `_` and `-` are percent-encoded, so it is one component;
    ///     see ``component(_:)``.
    ///   - year: the year of the job's creation, in UTC.
    ///   - month: the month of the job's creation, in UTC, 1 to 12.
    package init(tenant: String, year: Int, month: Int, job: String, epoch: Int) {
        directories = [Self.component(tenant), String(year), month < 10 ? "0\(month)" : "\(month)"]
        file = "\(Self.component(job)).\(epoch).xlsx.zst"
    }

    /// Bytes of a name that every suitable file system accepts (NAME_MAX).
    private static let longest = 255

    /// Returns a path component that stands for this text and for no other: the text percent-encoded. If that is too long, it
    /// is cut before an escape, and `~`, which no encoded text contains, and the SHA-256 of the text follow.
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
