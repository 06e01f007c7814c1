private import Foundation

/// A folder of public keys: each file whose name ends with `.pem` contains one.
package struct KeyFolder: Sendable {
    /// Where the package keeps the public keys of an installation.
    package static let standard = "/etc/adminexport/verify.d"

    private static let maxFiles = 1_000
    private static let maxBytes = 65_536

    private let path: String

    /// The folder at a path. It need not exist.
    package init(_ path: String) {
        self.path = path
    }

    /// The keys in the order of the files' names, each with the path of its file; none if the folder does not exist.
    ///
    /// A file that cannot be read is a fault, because it could revoke a key that another file contains.
    ///
    /// - Throws: ``EvidenceFault/Code/unusableKey`` that names the file.
    package func load() throws(EvidenceFault) -> [(path: String, key: VerificationKey)] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return []
        } catch {
            throw EvidenceFault(.unusableKey, "the folder \(path) cannot be read; check that it is a folder, and its mode")
        }
        let files = names.filter { $0.hasSuffix(".pem") && !$0.hasPrefix(".") }.sorted()
        guard files.count <= Self.maxFiles else {
            throw EvidenceFault(.unusableKey, "the folder \(path) has more than \(Self.maxFiles) keys; remove some")
        }
        var keys: [(path: String, key: VerificationKey)] = []
        for name in files {
            let file = "\(path)/\(name)"
            keys.append((file, try Self.key(file)))
        }
        return keys
    }

    /// Reads one file.
    ///
    /// - Throws: ``EvidenceFault/Code/unusableKey`` that names the file.
    package static func key(_ path: String) throws(EvidenceFault) -> VerificationKey {
        let text: String?
        do {
            let file = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? file.close() }
            let data = try file.read(upToCount: maxBytes + 1) ?? Data()
            text = data.count > maxBytes ? nil : String(data: data, encoding: .utf8)
        } catch {
            throw EvidenceFault(.unusableKey, "the key \(path) cannot be read; check its path and mode")
        }
        guard let text else { throw EvidenceFault(.unusableKey, "\(path) is not a key in PEM format") }
        do {
            return try VerificationKey(pem: text)
        } catch {
            throw EvidenceFault(error.code, "\(path) cannot be used as a key: \(error.description)")
        }
    }
}
