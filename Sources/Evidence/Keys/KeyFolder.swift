private import Foundation

/// A folder of public keys: each file whose name ends with `.pem` contains one.
package struct KeyFolder: Sendable {
    /// Where the package keeps the public keys of an installation.
    package static let standard = "/etc/adminexport/verify.d"

    private static let maxFiles = 100
    private static let maxBytes = 65_536

    private let path: String

    /// The folder at a path. It need not exist.
    package init(_ path: String) {
        self.path = path
    }

    /// The keys of a folder, and the files that contain none.
    package struct Content: Sendable {
        /// The keys in the order of the files' names, each with the path of its file.
        package var keys: [(path: String, key: VerificationKey)] = []
        /// What is wrong with the other files, in words that name them.
        package var faults: [EvidenceFault] = []
    }

    /// The keys, for a program that verifies nothing; none if the folder does not exist.
    package func content() -> Content {
        var content = Content()
        do {
            for file in try files() {
                do {
                    content.keys.append((file, try Self.key(file, isRegular: true)))
                } catch {
                    content.faults.append(error)
                }
            }
        } catch {
            content.faults.append(error)
        }
        return content
    }

    /// The keys in the order of the files' names, each with the path of its file; none if the folder does not exist.
    ///
    /// A file that cannot be used is a fault, because it could revoke a key that another file contains.
    ///
    /// - Throws: ``EvidenceFault/Code/unusableKey`` that names the file.
    package func load() throws(EvidenceFault) -> [(path: String, key: VerificationKey)] {
        let content = content()
        if let fault = content.faults.first { throw fault }
        return content.keys
    }

    private func files() throws(EvidenceFault) -> [String] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return []
        } catch {
            throw EvidenceFault(.unusableKey, "the folder \(path) cannot be read; check that it is a folder, and its mode")
        }
        let files = names.filter { $0.lowercased().hasSuffix(".pem") && !$0.hasPrefix(".") }.sorted()
        guard files.count <= Self.maxFiles else {
            throw EvidenceFault(.unusableKey, "the folder \(path) has more than \(Self.maxFiles) keys; remove some")
        }
        return files.map { "\(path)/\($0)" }
    }

    /// Reads one file.
    ///
    /// - Parameter isRegular: whether the file must be a regular one. A pipe may wait forever.
    /// - Throws: ``EvidenceFault/Code/unusableKey`` that names the file.
    package static func key(_ path: String, isRegular: Bool = false) throws(EvidenceFault) -> VerificationKey {
        let bytes: [UInt8]?
        do {
            var file = try InputFile(path, isRegular ? .regular : .regularOrPipe)
            bytes = try file.contents(maxBytes: maxBytes)
        } catch {
            throw EvidenceFault(.unusableKey, "the key \(path) cannot be read: \(error.reason)")
        }
        let text = bytes.flatMap { String(validating: $0, as: UTF8.self) }
        guard let text else { throw EvidenceFault(.unusableKey, "\(path) is not a key in PEM format") }
        do {
            return try VerificationKey(pem: text)
        } catch {
            throw EvidenceFault(error.code, "\(path) cannot be used as a key: \(error.description)")
        }
    }
}
