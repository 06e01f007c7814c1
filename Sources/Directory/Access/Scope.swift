private import Crypto

/// The administrators of a tenant that an actor sees.
package enum Scope: Sendable, Equatable {
    /// Every administrator of the tenant.
    case tenant
    /// The administrators whose main or secondary group is one of these groups or below one. Keys as text, in code point order.
    case groups(roots: [String])

    /// SHA-256 of the kind and the root groups. Equal scopes have equal digests.
    package var digest: [UInt8] {
        var hash = SHA256()
        switch self {
        case .tenant:
            hash.update(data: Array("tenant".utf8))
        case .groups(let roots):
            hash.update(data: Array("groups".utf8))
            for root in roots {
                // The length before each key ensures that two different lists never give the same bytes.
                hash.update(data: Array("\0\(root.utf8.count)\0\(root)".utf8))
            }
        }
        return Array(hash.finalize())
    }

    /// ``digest`` as text.
    package var hexadecimalDigest: String { digest.hexadecimal }

    /// Whether an actor with this scope may read a file that was made with the scope of the digest.
    ///
    /// - Parameter digest: in hexadecimal, as in the job's row.
    package func mayRead(fileOf digest: String) -> Bool {
        self == .tenant || hexadecimalDigest == digest
    }
}
