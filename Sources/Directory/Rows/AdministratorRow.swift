internal import Postgres

/// One administrator of a page. The row is valid for one call, and lends its texts as UTF-8.
package struct AdministratorRow: ~Copyable {
    private var rows: CopyRows
    private let fields: RowFields
    private let references: References
    private var secondaryGroups: LinkStream
    private var teams: LinkStream
    /// Positions in the bytes of the references.
    private var profile: Range<Int>?
    private var mainGroup: Range<Int>?
    /// Those of the profiles and the main groups.
    private var missing = MissingNames()

    /// Starts before the first row.
    init(
        administrators: consuming CopyRows, _ fields: RowFields, groups: CopyBuffer, teams: CopyBuffer,
        references: References
    ) throws {
        let secondaryGroups = try LinkStream(groups, names: references.groups)
        let teams = try LinkStream(teams, names: references.teams)
        rows = administrators
        self.fields = fields
        self.references = references
        self.secondaryGroups = secondaryGroups
        self.teams = teams
    }

    /// Goes to the next administrator.
    ///
    /// The streams are merged by equality of keys alone: the client does not need to know the server's order.
    mutating func next() throws -> Bool {
        guard try rows.next() else { return false }
        let key = try rows.key
        try secondaryGroups.collect(of: key, in: rows.bytes)
        try teams.collect(of: key, in: rows.bytes)
        profile = name(rows.fields[4], in: references.profiles)
        mainGroup = name(rows.fields[5], in: references.groups)
        return true
    }

    private mutating func name(_ key: CopyField, in names: borrowing ReferenceNames) -> Range<Int>? {
        guard let key = key.range else { return nil }
        guard let rank = names.rank(of: rows.bytes.span.extracting(key)) else {
            missing.unresolved += 1
            return nil
        }
        guard !names.isHidden(rank) else {
            missing.hidden += 1
            return nil
        }
        return names.name(rank)
    }

    /// References so far without a name.
    var missingNames: MissingNames { missing + secondaryGroups.missing + teams.missing }

    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` if groups or teams are left: the streams' orders differ.
    func checkEnd() throws {
        try secondaryGroups.checkEnd("administrator_secondary_group")
        try teams.checkEnd("administrator_team")
    }

    /// Lends the texts to the body, one after the other: name, e-mail address, phone, profile, main group, secondary groups, teams.
    /// Null is nil.
    ///
    /// The groups and the teams are lists of names in code point order, joined by `, `. A name that contains a comma or a quote is quoted
    /// as in CSV. A list without names is empty.
    package func forEachText(_ body: (Span<UInt8>?) throws -> Void) rethrows {
        try lend(rows.fields[1].range, of: rows.bytes, body)
        try lend(rows.fields[2].range, of: rows.bytes, body)
        try lend(rows.fields[3].range, of: rows.bytes, body)
        try lend(profile, of: references.profiles.bytes, body)
        try lend(mainGroup, of: references.groups.bytes, body)
        try secondaryGroups.withList(body)
        try teams.withList(body)
    }

    @inline(__always)
    private func lend(_ range: Range<Int>?, of bytes: borrowing [UInt8], _ body: (Span<UInt8>?) throws -> Void) rethrows {
        guard let range else { return try body(nil) }
        try body(bytes.span.extracting(range))
    }

    /// The day on which the account was created; nil for null.
    package var created: Day? { Day(rows.fields[6], in: rows.bytes) }
    /// The day of the account's last change; nil for null.
    package var updated: Day? { Day(rows.fields[7], in: rows.bytes) }

    /// Whether the account is enabled. Pages without this field contain only enabled administrators.
    package var isEnabled: Bool {
        guard let status = fields.status else { return true }
        return rows.fields[status].range.map { rows.bytes[$0.lowerBound] == 1 } ?? false
    }

    // MARK: Attributes. The index is that of ``Snapshot/attributes``.

    /// Lends the text of an attribute of the kind text; nil for null.
    @inline(__always)
    package func withText(ofAttribute index: Int, _ body: (Span<UInt8>?) throws -> Void) rethrows {
        try lend(rows.fields[fields.firstAttribute &+ index].range, of: rows.bytes, body)
    }

    /// The day of an attribute of the kind date; nil for null.
    package func day(ofAttribute index: Int) -> Day? { Day(rows.fields[fields.firstAttribute &+ index], in: rows.bytes) }

    /// The time of an attribute of the kind datetime; nil for null.
    package func time(ofAttribute index: Int) -> Time? { Time(rows.fields[fields.firstAttribute &+ index], in: rows.bytes) }

    /// The value of an attribute of the kind boolean; nil for null.
    package func flag(ofAttribute index: Int) -> Bool? {
        rows.fields[fields.firstAttribute &+ index].range.map { rows.bytes[$0.lowerBound] == 1 }
    }

    /// Replaces the text by the list of an attribute of the kind list: its elements in their order, joined and quoted as the lists of
    /// ``forEachText(_:)``, without null elements. Empty for null.
    package func list(ofAttribute index: Int, into text: inout [UInt8]) throws {
        text.removeAll(keepingCapacity: true)
        guard let range = rows.fields[fields.firstAttribute &+ index].range else { return }
        var isFirst = true
        try TextArray.forEach(in: rows.bytes.span.extracting(range)) { element in
            if !isFirst { text += ", ".utf8 }
            isFirst = false
            text.append(item: element, separator: ",")
        }
    }

    /// A date with a time, in the tenant's time zone.
    package enum Time: Equatable, Sendable {
        /// Whole seconds since 1970-01-01 00:00 on the clocks of the time zone; fractions of a second are cut off.
        case seconds(Int)
        /// PostgreSQL's `infinity`.
        case infinity
        /// PostgreSQL's `-infinity`.
        case minusInfinity

        /// Reads PostgreSQL's binary `timestamp`: big-endian microseconds since 2000-01-01. The largest and the smallest value are the
        /// infinities.
        fileprivate init?(_ field: CopyField, in bytes: borrowing [UInt8]) {
            guard let range = field.range, range.count == 8 else { return nil }
            switch range.reduce(Int64(0), { $0 << 8 | Int64(bytes[$1]) }) {
            case .max: self = .infinity
            case .min: self = .minusInfinity
            case let microseconds:
                let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
                self = .seconds(Int(rest < 0 ? seconds - 1 : seconds) + 946_684_800)
            }
        }
    }

    /// A day in the tenant's time zone.
    package enum Day: Equatable, Sendable {
        /// Days since 1970-01-01.
        case date(Int)
        /// PostgreSQL's `infinity`.
        case infinity
        /// PostgreSQL's `-infinity`.
        case minusInfinity

        /// Reads PostgreSQL's binary `date`: big-endian days since 2000-01-01. The largest and the smallest value are the
        /// infinities.
        fileprivate init?(_ field: CopyField, in bytes: borrowing [UInt8]) {
            guard let range = field.range, range.count == 4 else { return nil }
            switch range.reduce(Int32(0), { $0 << 8 | Int32(bytes[$1]) }) {
            case .max: self = .infinity
            case .min: self = .minusInfinity
            case let days: self = .date(Int(days) + 10_957)
            }
        }
    }
}

/// How many references of administrators have no name in their rows.
package struct MissingNames: Sendable, Equatable {
    /// References to nothing in the tenant.
    package var unresolved = 0
    /// References to groups whose names the actor must not see.
    package var hidden = 0

    /// None.
    package init() {}

    /// The sum of both.
    package static func + (one: MissingNames, other: MissingNames) -> MissingNames {
        var sum = one
        sum.unresolved += other.unresolved
        sum.hidden += other.hidden
        return sum
    }
}

/// The groups or the teams of a page's administrators: rows of an administrator's key and a reference, in the order of the
/// administrators.
private struct LinkStream: ~Copyable {
    private var rows: CopyRows
    private let names: ReferenceNames
    private var hasRow: Bool
    /// The ranks of the administrator's references, in order.
    private var ranks: [Int32] = []
    private var rankCount = 0
    /// Rows so far whose reference has no name.
    private(set) var missing = MissingNames()
    /// The list of several names, in its first bytes.
    private var list: [UInt8] = []
    private var listCount = 0

    init(_ copy: CopyBuffer, names: ReferenceNames) throws {
        var rows = try CopyRows(copy, width: 2)
        hasRow = try rows.next()
        self.rows = rows
        self.names = names
    }

    /// Reads the rows of the administrator from the stream and makes the list of their names.
    ///
    /// - Parameter administrator: the position of the administrator's key in the bytes.
    mutating func collect(of administrator: Range<Int>, in bytes: [UInt8]) throws {
        rankCount = 0
        let administrator = bytes.span.extracting(administrator)
        while hasRow, let key = rows.fields[0].range, rows.bytes.span.extracting(key).hasSameBytes(as: administrator) {
            if let reference = rows.fields[1].range {
                if let rank = names.rank(of: rows.bytes.span.extracting(reference)) {
                    if names.isHidden(rank) {
                        missing.hidden += 1
                    } else {
                        insert(Int32(truncatingIfNeeded: rank))
                    }
                } else {
                    missing.unresolved += 1
                }
            }
            hasRow = try rows.next()
        }
        if rankCount > 1 { joinNames() }
    }

    private mutating func joinNames() {
        let names = names.bytes
        listCount = 0
        for index in 0..<rankCount {
            let item = self.names.item(Int(ranks[index]))
            let needed = listCount &+ item.count &+ 2
            if needed > list.count { list.append(contentsOf: repeatElement(0, count: 2 * needed)) }
            if index > 0 {
                list[listCount] = UInt8(ascii: ",")
                list[listCount &+ 1] = UInt8(ascii: " ")
                listCount &+= 2
            }
            let start = listCount
            // SAFETY: the item is a range of the names, and the list has room for it.
            unsafe names.withUnsafeBytes { source in
                unsafe list.withUnsafeMutableBytes { target in
                    let part = unsafe UnsafeRawBufferPointer(rebasing: source[item])
                    unsafe UnsafeMutableRawBufferPointer(rebasing: target[start...]).copyMemory(from: part)
                }
            }
            listCount &+= item.count
        }
    }

    /// Lends the list of the administrator that was collected last. One name needs no copy.
    @inline(__always)
    func withList(_ body: (Span<UInt8>?) throws -> Void) rethrows {
        switch rankCount {
        case 0: try body(names.bytes.span.extracting(first: 0))
        case 1: try body(names.bytes.span.extracting(names.item(Int(ranks[0]))))
        default: try body(list.span.extracting(first: listCount))
        }
    }

    /// Inserts a rank; the ranks stay sorted and unique. Usually there are only a few.
    private mutating func insert(_ rank: Int32) {
        var at = rankCount
        while at > 0, ranks[at &- 1] > rank { at &-= 1 }
        if at > 0, ranks[at &- 1] == rank { return }
        if rankCount == ranks.count { ranks.append(rank) }
        var end = rankCount
        while end > at {
            ranks[end] = ranks[end &- 1]
            end &-= 1
        }
        ranks[at] = rank
        rankCount &+= 1
    }

    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` if a row belongs to no administrator of the page.
    func checkEnd(_ relation: String) throws {
        guard hasRow else { return }
        throw DirectoryError.sourceInvalid(
            "directory.\(relation) and directory.administrator are not in the same order: their keys compare differently; "
                + "give both columns the same type and collation")
    }
}

extension CopyRows {
    /// The position of the current administrator's key in the bytes.
    ///
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` for null.
    var key: Range<Int> {
        get throws {
            guard let key = fields[0].range else {
                throw DirectoryError.sourceInvalid(ContractFault.null("administrator", "id").description)
            }
            return key
        }
    }
}
