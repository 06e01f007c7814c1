private import Glibc

/// Secrets that the service manager passes as files (`LoadCredential=`, systemd.exec(5)), which only this service can read.
package struct Credentials: Sendable {
    /// The maximum size of a credential in bytes: more than any password or key needs.
    private static let longest = 65_536

    private let directory: String?

    /// The credentials in the directory `$CREDENTIALS_DIRECTORY`; none if it is not set.
    package init(environment: [String: String]) {
        directory = environment["CREDENTIALS_DIRECTORY"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The text of a credential, without line ends at its end; nil if there is no credential with this name.
    ///
    /// - Throws: ``Unreadable`` if the credential cannot be read, is not UTF-8, contains NUL or is too long.
    package func text(_ name: String) throws(Unreadable) -> String? {
        guard let directory else { return nil }
        // SAFETY: the system reads the path during the call, and below appends no more than the array has room for.
        let descriptor = unsafe open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw Unreadable(name: name)
        }
        defer { close(descriptor) }
        let bytes = try [UInt8](capacity: Self.longest + 1) { bytes throws(Unreadable) in
            while !bytes.isFull {
                let more = unsafe bytes.withUnsafeMutableBufferPointer { buffer, count in
                    let rest = unsafe UnsafeMutableBufferPointer(rebasing: buffer[count...])
                    let more = unsafe read(descriptor, rest.baseAddress, rest.count)
                    count += max(0, more)
                    return more
                }
                guard more >= 0 else { throw Unreadable(name: name) }
                if more == 0 { break }
            }
        }
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self), !text.contains("\0")
        else { throw Unreadable(name: name) }
        return String(text.trimmingSuffix(while: \.isNewline))
    }

    /// The credential exists and is not a usable text.
    package struct Unreadable: Error, Equatable {
        /// The name of the credential.
        package let name: String
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var text = self[...]
        while let last = text.last, predicate(last) { text.removeLast() }
        return text
    }
}
