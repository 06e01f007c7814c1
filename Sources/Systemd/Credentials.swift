private import Glibc

/// Secrets that the service manager hands over as files (`LoadCredential=`, systemd.exec(5)), which only this service can read.
package struct Credentials: Sendable {
    /// A password or a key is not longer.
    private static let longest = 65_536

    private let directory: String?

    package init(environment: [String: String]) {
        directory = environment["CREDENTIALS_DIRECTORY"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The credential's text, without the line ends at its end; nil where there is none of the name.
    ///
    /// - Throws: ``Unreadable`` where it is there and is no text, or too long.
    package func text(_ name: String) throws(Unreadable) -> String? {
        guard let directory else { return nil }
        let descriptor = open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw Unreadable(name: name)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.longest + 1)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return read(descriptor, rest.baseAddress, rest.count)
            }
            guard more >= 0 else { throw Unreadable(name: name) }
            if more == 0 { break }
            count += more
        }
        guard count <= Self.longest, let text = String(validating: bytes.prefix(count), as: UTF8.self), !text.contains("\0")
        else { throw Unreadable(name: name) }
        return String(text.trimmingSuffix(while: \.isNewline))
    }

    package struct Unreadable: Error, Equatable {
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
