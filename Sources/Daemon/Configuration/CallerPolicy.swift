internal import Directory
private import Glibc
internal import Sockets

/// What the configuration can grant to a caller.
enum Grant: String, Codable, Sendable, CaseIterable {
    /// To call in the name of administrators: start exports and fetch their workbooks.
    case export
    /// To manage the jobs of all administrators, without reading their workbooks.
    case `operator`
}

/// Which local users and groups may call, and for which tenants. Everything else is denied.
///
/// Names are resolved when the policy is created, so that a request never waits for the user database.
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

    /// - Throws: ``ConfigurationFault`` for an unknown user or group, and for an entry that names nobody or grants nothing.
    init(_ callers: [ConfigurationFile.CallerEntry]) throws {
        guard !callers.isEmpty else {
            // Nothing is configured: root and the user who tries the service may do everything.
            entries = [0, geteuid()].map {
                Entry(who: .user($0), rule: CallerGrants.Rule(tenants: .all, grants: Set(Grant.allCases)))
            }
            return
        }
        entries = try callers.enumerated().map { index, caller in
            let place = "callers[\(index)]"
            guard !caller.grants.isEmpty, caller.tenants != .some([]) else {
                throw ConfigurationFault("\(place) grants nothing; give it grants and tenants, or remove it")
            }
            return Entry(
                who: try Self.resolve(caller, place),
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

    private static func resolve(_ caller: ConfigurationFile.CallerEntry, _ place: String) throws -> Entry.Who {
        let (kind, name) = caller.user.map { ("user", $0) } ?? ("group", caller.group ?? "")
        // SAFETY: the number is copied before the next call.
        let id = unsafe UInt32(name) ?? (kind == "user" ? getpwnam(name)?.pointee.pw_uid : getgrnam(name)?.pointee.gr_gid)
        guard let id else {
            throw ConfigurationFault("unknown \(kind) \"\(name)\" in \(place); create it or remove the entry")
        }
        guard id != PeerCredentials.overflowID else {
            throw ConfigurationFault(
                "the \(kind) \"\(name)\" in \(place) has the id \(id), which represents all users that a user namespace hides; name another \(kind)"
            )
        }
        return kind == "user" ? .user(id) : .group(id)
    }

    func grants(of peer: PeerCredentials) -> CallerGrants {
        // All users that this user namespace does not map have this id, so it identifies nobody.
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
