internal import Postgres
private import Synchronization

/// A page of administrators with their groups and teams, as three binary COPYs in one order.
///
/// Unchecked, because it is handed over and never shared: the reader fills it, and whoever gets it then only reads. Its memory
/// goes back to the reader with its last reference.
package final class RowPage: @unchecked Sendable {
    /// key, name, email, phone, profile, main group, created, updated, and whether enabled where that is asked for
    let administrators: CopyBuffer
    /// administrator, group
    private(set) var groups = CopyBuffer()
    /// administrator, team
    private(set) var teams = CopyBuffer()
    /// Administrators in the page.
    package internal(set) var count = 0
    /// Which they are.
    var keys = Keys.all
    private let buffers: PageBuffers

    /// Keys as the server sends them in binary, and takes them back.
    enum Keys: Equatable {
        /// All that the actor sees.
        case all
        /// Those after the first key, or from the beginning, up to and with the last.
        case keys(after: [UInt8]?, last: [UInt8])
    }

    /// Administrators' rows have whether they are enabled; else all are.
    private let hasStatus: Bool
    /// Fields of an administrator.
    private var width: Int { hasStatus ? 9 : 8 }

    init(_ buffers: PageBuffers, hasStatus: Bool) {
        self.buffers = buffers
        self.hasStatus = hasStatus
        administrators = buffers.take()
    }

    deinit {
        buffers.give(administrators)
        buffers.give(groups)
        buffers.give(teams)
    }

    func takeLinkBuffers() {
        groups = buffers.take()
        teams = buffers.take()
    }

    func giveLinkBuffers() {
        buffers.give(groups)
        buffers.give(teams)
        groups = CopyBuffer()
        teams = CopyBuffer()
    }

    /// Counts the rows and finds the last one's key.
    ///
    /// Rows come in the order of their keys, so that two with one key stand together: within a page they are seen here. Those at the
    /// border of two pages show in the number of rows (``PageReader``).
    ///
    /// - Parameter type: of the keys.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` for a key that comes twice, or is missing.
    func measure(_ type: KeyTypes.KeyType) throws -> (count: Int, last: [UInt8]?) {
        var count = 0
        var last: UnsafeBufferPointer<UInt8>?
        return try administrators.withBytes { bytes in
            guard !bytes.isEmpty else { return (0, nil) }
            try forEachAdministrator(bytes) { fields, _ in
                count += 1
                let key = try Self.key(fields)
                if let last, last.hasSameBytes(as: key) { throw DirectoryError.doubled("administrator", type.text(of: key)) }
                last = key
            }
            return (count, last.map(Array.init))
        }
    }

    private func lastKey() throws -> [UInt8]? {
        var last: UnsafeBufferPointer<UInt8>?
        return try administrators.withBytes { bytes in
            try forEachAdministrator(bytes) { fields, _ in last = try Self.key(fields) }
            return last.map(Array.init)
        }
    }

    @inline(__always)
    private static func key(
        _ fields: UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>
    ) throws -> UnsafeBufferPointer<UInt8> {
        guard let key = fields[0] else {
            throw DirectoryError.sourceInvalid(ContractFault.null("administrator", "id").description)
        }
        return key
    }

    /// The page in parts of about the same number of administrators, without links.
    func split(into parts: Int) throws -> [RowPage] {
        let size = max(1, count / parts)
        var pages: [RowPage] = []
        var after: [UInt8]? = if case .keys(let after, _) = keys { after } else { nil }
        try administrators.withBytes { bytes in
            var part = RowPage(buffers, hasStatus: hasStatus)
            try forEachAdministrator(bytes) { fields, row in
                if part.count == 0 { part.administrators.beginCopy() }
                part.administrators.append(row: row)
                part.count += 1
                guard part.count == size else { return }
                let last = Array(try Self.key(fields))
                part.keys = .keys(after: after, last: last)
                after = last
                pages.append(part)
                part = RowPage(buffers, hasStatus: hasStatus)
            }
            guard part.count > 0 else { return }
            part.keys = .keys(after: after, last: try lastKey() ?? [])
            pages.append(part)
        }
        return pages
    }
}

/// The memory of pages that are done with goes round, so that an export allocates none for its later pages.
final class PageBuffers: Sendable {
    /// Three pages' worth.
    private static let mostIdle = 9
    /// What a page of long rows has made larger than this is the system's again.
    private static let mostBytes = 6 * 1024 * 1024

    private let idle = Mutex<[CopyBuffer]>([])

    func take() -> CopyBuffer {
        idle.withLock { $0.popLast() } ?? CopyBuffer()
    }

    func give(_ buffer: CopyBuffer) {
        guard buffer.capacity > 0, buffer.capacity <= Self.mostBytes else { return }
        idle.withLock { idle in
            if idle.count < Self.mostIdle { idle.append(buffer) }
        }
    }
}

/// The names that rows refer to.
package struct References: Sendable {
    let profiles: ReferenceNames
    let groups: ReferenceNames
    let teams: ReferenceNames

    /// Calls the body with the name of each profile of the tenant, in code point order.
    package func forEachProfile(_ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try profiles.forEachName(body)
    }

    /// Calls the body with the name of each team of the tenant, in code point order.
    package func forEachTeam(_ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try teams.forEachName(body)
    }
}

extension RowPage {
    /// Calls the body with each administrator, in key order. The row's views are valid during the call only.
    ///
    /// The streams are merged by equality alone: what belongs together stands together, and the client need not know
    /// how the server orders keys.
    ///
    /// - Returns: how many references pointed to nothing in the tenant.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` where groups or teams are left over: the streams' orders differ.
    package func forEachRow(
        _ references: References, _ body: (borrowing AdministratorRow) throws -> Void
    ) throws -> Int {
        try references.profiles.withReader { profiles in
            try references.groups.withReader { groupNames in
                try references.teams.withReader { teamNames in
                    try groups.withBytes { groupBytes in
                        try teams.withBytes { teamBytes in
                            var secondary = try LinkStream(groupBytes)
                            var teams = try LinkStream(teamBytes)
                            var unresolved = 0
                            try administrators.withBytes { bytes in
                                try forEachAdministrator(bytes) { fields, _ in
                                    let key = try Self.key(fields)
                                    secondary.collect(of: key, from: groupNames, unresolved: &unresolved)
                                    teams.collect(of: key, from: teamNames, unresolved: &unresolved)
                                    try body(
                                        AdministratorRow(
                                            name: fields[1], email: fields[2], phone: fields[3],
                                            profile: Self.name(fields[4], in: profiles, &unresolved),
                                            mainGroup: Self.name(fields[5], in: groupNames, &unresolved),
                                            secondaryGroups: secondary.list, teams: teams.list,
                                            created: AdministratorRow.Day(fields[6]),
                                            updated: AdministratorRow.Day(fields[7]),
                                            isEnabled: !hasStatus || fields[8]?.first == 1))
                                    try secondary.check()
                                    try teams.check()
                                }
                            }
                            try secondary.finish("administrator_secondary_group")
                            try teams.finish("administrator_team")
                            return unresolved
                        }
                    }
                }
            }
        }
    }

    /// - Parameter body: gets the fields and the whole row's bytes.
    @inline(__always)
    private func forEachAdministrator(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(capacity: width)
        defer { fields.deallocate() }
        var cursor = try CopyCursor(bytes)
        var start = cursor.offset
        while try cursor.next(fields) {
            try body(fields, UnsafeRawBufferPointer(rebasing: bytes[start..<cursor.offset]))
            start = cursor.offset
        }
    }

    @inline(__always)
    private static func name(
        _ key: UnsafeBufferPointer<UInt8>?, in names: borrowing ReferenceNames.Reader, _ unresolved: inout Int
    ) -> UnsafeBufferPointer<UInt8>? {
        guard let key else { return nil }
        guard let rank = names.rank(of: key) else {
            unresolved &+= 1
            return nil
        }
        return names.name(rank)
    }
}
