private import Crypto

/// What an actor whose scope is groups sees of the other groups of the tenant. Accounts in the scope may belong to them, too.
///
/// The raw values are those of the configuration and of the wire.
package enum OtherGroups: String, Sendable, CaseIterable {
    /// Their names, in the rows of accounts.
    case show
    /// Only their number.
    case hide
}

/// The administrators of a tenant that an actor sees.
package enum Scope: Sendable, Equatable {
    /// Every administrator of the tenant.
    case tenant
    /// The administrators whose main or secondary group is one of these groups or below one. Keys as text, in code point order.
    case groups(roots: [String])

    /// SHA-256 of the kind and the root groups, in hexadecimal. Equal scopes have equal digests.
    ///
    /// - Parameter others: the setting with which the file is made. With `show`, the file may contain names of other groups.
    package func digest(_ others: OtherGroups) -> String {
        var hash = SHA256()
        switch self {
        case .tenant:
            hash.update(data: Array("tenant".utf8))
        case .groups(let roots):
            hash.update(data: Array((others == .show ? "groups" : "groups alone").utf8))
            for root in roots {
                // The length before each key ensures that two different lists never give the same bytes.
                hash.update(data: Array("\0\(root.utf8.count)\0\(root)".utf8))
            }
        }
        return hash.finalize().hexadecimal
    }

    /// Whether an actor with this scope may read a file that was made with the scope of the digest.
    ///
    /// - Parameters:
    ///   - digest: in hexadecimal, as in the job's row.
    ///   - others: what the actor may see of other groups. A file that hides them may always be read.
    package func mayRead(fileOf digest: String, _ others: OtherGroups) -> Bool {
        self == .tenant || digest == self.digest(.hide) || others == .show && digest == self.digest(.show)
    }
}
