private import Glibc
internal import Sockets

/// What a caller may be granted.
enum Grant: String, Codable, Sendable, CaseIterable {
    /// Acting for administrators: asking for exports and fetching them.
    case export
    /// Looking after everybody's jobs, without reading their files.
    case `operator`
}

/// Which local users and groups may call, for which tenants.
struct CallerPolicy: Sendable {
    private struct Entry: Sendable {
        enum Who: Sendable {
            case user(UInt32)
            case group(UInt32)
        }
        let who: Who
        let tenants: ConfigurationFile.CallerEntry.Tenants
        let grants: Set<Grant>
    }

    private let entries: [Entry]

    /// - Throws: ``ConfigurationFault`` for a user or a group that the system does not know.
    init(_ callers: [ConfigurationFile.CallerEntry]) throws {
        guard !callers.isEmpty else {
            // Nothing configured: for whoever tries the service out, and root.
            entries = [0, geteuid()].map { Entry(who: .user($0), tenants: .all, grants: Set(Grant.allCases)) }
            return
        }
        entries = try callers.map { caller in
            Entry(who: try Self.resolve(caller), tenants: caller.tenants, grants: Set(caller.grants))
        }
    }

    private static func resolve(_ caller: ConfigurationFile.CallerEntry) throws -> Entry.Who {
        if let user = caller.user {
            if let uid = UInt32(user) { return .user(uid) }
            guard let entry = getpwnam(user) else {
                throw ConfigurationFault("callers: there is no user \(user) on this system")
            }
            return .user(entry.pointee.pw_uid)
        }
        let group = caller.group ?? ""
        if let gid = UInt32(group) { return .group(gid) }
        guard let entry = getgrnam(group) else {
            throw ConfigurationFault("callers: there is no group \(group) on this system")
        }
        return .group(entry.pointee.gr_gid)
    }

    /// What one peer may do.
    struct Rights: Sendable {
        fileprivate let entries: [(tenants: ConfigurationFile.CallerEntry.Tenants, grants: Set<Grant>)]

        var grants: [Grant] { Grant.allCases.filter { grant in entries.contains { $0.grants.contains(grant) } } }

        /// Slugs in order, or `*`.
        var tenants: [String] {
            var slugs: Set<String> = []
            for entry in entries {
                guard case .some(let list) = entry.tenants else { return ["*"] }
                slugs.formUnion(list)
            }
            return slugs.sorted()
        }

        /// - Parameter tenant: nil asks for all tenants.
        func allow(_ grant: Grant, tenant: String?) -> Bool {
            entries.contains { entry in
                guard entry.grants.contains(grant) else { return false }
                return switch entry.tenants {
                case .all: true
                case .some(let slugs): tenant.map(slugs.contains) ?? false
                }
            }
        }
    }

    func rights(of peer: PeerIdentity) -> Rights {
        Rights(
            entries: entries.filter { entry in
                switch entry.who {
                // Ids that this user namespace does not have all look alike: nobody is let in by one.
                case .user(let uid): uid == peer.uid && uid != PeerIdentity.overflowID
                case .group(let gid): peer.groups.contains(gid) && gid != PeerIdentity.overflowID
                }
            }.map { ($0.tenants, $0.grants) })
    }
}
