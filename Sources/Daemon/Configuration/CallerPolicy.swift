internal import Directory
private import Glibc
internal import Sockets

/// What a caller may be granted.
enum Grant: String, Codable, Sendable, CaseIterable {
    /// Acting for administrators: asking for exports and fetching them.
    case export
    /// Looking after everybody's jobs, without reading their files.
    case `operator`
}

/// Which local users and groups may call, for which tenants. What is not granted is denied.
///
/// Names are resolved when the policy is made: a question of a caller never waits for a directory of users.
struct CallerPolicy: Sendable {
    private struct Entry: Sendable {
        enum Who: Sendable {
            case user(UInt32)
            case group(UInt32)
        }
        let who: Who
        let rule: CallerGrants.Rule
    }

    private let entries: [Entry]

    /// - Throws: ``ConfigurationFault`` for a user or a group that the system does not know, and for an entry that names
    ///   nobody or grants nothing.
    init(_ callers: [ConfigurationFile.CallerEntry]) throws {
        guard !callers.isEmpty else {
            // Nothing configured: for whoever tries the service out, and root.
            entries = [0, geteuid()].map {
                Entry(who: .user($0), rule: CallerGrants.Rule(tenants: .all, grants: Set(Grant.allCases)))
            }
            return
        }
        entries = try callers.map { caller in
            let name = caller.user.map { "the user \($0)" } ?? "the group \(caller.group ?? "")"
            guard !caller.grants.isEmpty, caller.tenants != .some([]) else {
                throw ConfigurationFault("callers: \(name) is granted nothing: name grants and tenants, or leave it out")
            }
            return Entry(
                who: try Self.resolve(caller, name),
                rule: CallerGrants.Rule(tenants: caller.tenants, grants: Set(caller.grants)))
        }
    }

    /// Every tenant that some rule names.
    var tenants: TenantGrant {
        var names: [TenantName] = []
        for case .some(let list) in entries.map(\.rule.tenants) {
            for name in list where !names.contains(name) { names.append(name) }
        }
        return TenantGrant(name: "callers", tenants: .some(names))
    }

    private static func resolve(_ caller: ConfigurationFile.CallerEntry, _ name: String) throws -> Entry.Who {
        let id: UInt32?
        if let user = caller.user {
            id = UInt32(user) ?? getpwnam(user)?.pointee.pw_uid
        } else {
            id = UInt32(caller.group ?? "") ?? getgrnam(caller.group ?? "")?.pointee.gr_gid
        }
        guard let id else { throw ConfigurationFault("callers: there is no such thing on this system as \(name)") }
        guard id != PeerCredentials.overflowID else {
            throw ConfigurationFault(
                "callers: \(name) has the id \(id), which stands for everyone whom this system cannot tell apart: name another"
            )
        }
        return caller.user == nil ? .group(id) : .user(id)
    }

    func grants(of peer: PeerCredentials) -> CallerGrants {
        // Users whom this user namespace does not have all look alike: whoever it is, is nobody.
        guard peer.uid != PeerCredentials.overflowID else { return CallerGrants(rules: []) }
        return CallerGrants(
            rules: entries.filter { entry in
                switch entry.who {
                case .user(let uid): uid == peer.uid
                case .group(let gid): peer.groups.contains(gid)
                }
            }.map(\.rule))
    }
}

/// What the configuration grants to one calling process.
struct CallerGrants: Sendable, Equatable {
    struct Rule: Sendable, Equatable {
        let tenants: TenantGrant.Tenants
        let grants: Set<Grant>
    }

    let rules: [Rule]

    /// The tenants for which a grant is given, by all rules together; nil if no rule gives it.
    subscript(grant: Grant) -> TenantGrant? {
        let given = rules.filter { $0.grants.contains(grant) }
        guard !given.isEmpty else { return nil }
        var names: [TenantName] = []
        for rule in given {
            guard case .some(let list) = rule.tenants else { return TenantGrant(name: grant.rawValue, tenants: .all) }
            for name in list where !names.contains(name) { names.append(name) }
        }
        return TenantGrant(name: grant.rawValue, tenants: .some(names))
    }
}
