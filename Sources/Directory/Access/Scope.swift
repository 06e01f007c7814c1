private import Crypto

/// What an actor sees of their tenant.
package enum Scope: Sendable, Equatable {
    /// Every administrator of the tenant.
    case tenant
    /// Those whose main or secondary group is one of these or lies below one; keys as text, in code point order.
    case groups(roots: [String])

    /// SHA-256 of the kind and the root groups: equal for equal scopes.
    package var digest: [UInt8] {
        var hash = SHA256()
        switch self {
        case .tenant:
            hash.update(data: Array("tenant".utf8))
        case .groups(let roots):
            hash.update(data: Array("groups".utf8))
            for root in roots {
                // A length before each key: no two lists run together to the same bytes.
                hash.update(data: Array("\0\(root.utf8.count)\0\(root)".utf8))
            }
        }
        return Array(hash.finalize())
    }

    /// ``digest`` as text.
    package var hexadecimalDigest: String { digest.hexadecimal }

    /// Whether an actor with this scope may have a file that was made with a scope of the digest.
    ///
    /// - Parameter digest: in hexadecimal, as the job's row has it.
    package func mayRead(fileOf digest: String) -> Bool {
        self == .tenant || hexadecimalDigest == digest
    }
}
