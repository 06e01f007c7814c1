internal import Postgres

/// One administrator, as views of bytes that live for one call only. UTF-8; nil and empty lists mean no value.
package struct AdministratorRow {
    package let name: UnsafeBufferPointer<UInt8>?
    package let email: UnsafeBufferPointer<UInt8>?
    package let phone: UnsafeBufferPointer<UInt8>?
    package let profile: UnsafeBufferPointer<UInt8>?
    package let mainGroup: UnsafeBufferPointer<UInt8>?
    /// Names in code point order, joined by `, `; one that holds a comma or a quote is quoted as in CSV.
    package let secondaryGroups: UnsafeBufferPointer<UInt8>
    package let teams: UnsafeBufferPointer<UInt8>
    package let created: Day?
    package let updated: Day?
    package let isEnabled: Bool

    /// A day in the tenant's time zone.
    package enum Day: Equatable, Sendable {
        /// Days since 1970-01-01.
        case date(Int)
        case infinity
        case minusInfinity

        /// From PostgreSQL's binary `date`: big-endian days since 2000-01-01, with the extremes for the infinities.
        @inline(__always)
        init?(_ field: UnsafeBufferPointer<UInt8>?) {
            guard let field, field.count == 4, let base = UnsafeRawPointer(field.baseAddress) else { return nil }
            switch Int32(bigEndian: base.loadUnaligned(as: Int32.self)) {
            case .max: self = .infinity
            case .min: self = .minusInfinity
            case let days: self = .date(Int(days) + 10_957)
            }
        }
    }
}

/// The groups or the teams of a page's administrators: rows of administrator and reference, in the administrators' order.
struct LinkStream: ~Copyable {
    private var cursor: CopyCursor
    private let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(capacity: 2)
    private var hasRow: Bool
    private var fault: (any Error)?
    /// Of the administrator's references, in order.
    private var ranks = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 16)
    private var rankCount = 0
    private var text: UnsafeMutableBufferPointer<UInt8>
    private var length = 0

    init(_ bytes: UnsafeRawBufferPointer) throws {
        let cursor = try CopyCursor(bytes)
        self.cursor = cursor
        text = .allocate(capacity: 1_024)
        hasRow = true
        advance()
    }

    deinit {
        fields.deallocate()
        text.deallocate()
        ranks.deallocate()
    }

    /// The list that was collected last.
    var list: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text[..<length])
    }

    /// Takes the rows of the administrator off the stream and makes the list of their names.
    ///
    /// A fault of the stream is kept for ``check()``, so that the caller can use this where nothing may throw.
    @inline(__always)
    mutating func collect(
        of administrator: UnsafeBufferPointer<UInt8>, from names: borrowing ReferenceNames.Reader, unresolved: inout Int
    ) {
        length = 0
        guard hasRow, let first = fields[0], first.hasSameBytes(as: administrator) else { return }
        rankCount = 0
        while hasRow, let key = fields[0], key.hasSameBytes(as: administrator) {
            if let reference = fields[1] {
                if let rank = names.rank(of: reference) {
                    insert(Int32(truncatingIfNeeded: rank))
                } else {
                    unresolved &+= 1
                }
            }
            advance()
        }
        for index in 0..<rankCount {
            let item = names.item(Int(ranks[index]))
            reserve(item.count + 2)
            if index > 0 {
                text[length] = UInt8(ascii: ",")
                text[length &+ 1] = UInt8(ascii: " ")
                length &+= 2
            }
            if let source = item.baseAddress, let base = text.baseAddress {
                (base + length).update(from: source, count: item.count)
                length &+= item.count
            }
        }
    }

    @inline(__always)
    private mutating func advance() {
        do {
            hasRow = try cursor.next(fields)
        } catch {
            fault = error
            hasRow = false
        }
    }

    /// Keeps the ranks sorted and single; there are a handful at most, usually.
    @inline(__always)
    private mutating func insert(_ rank: Int32) {
        var at = rankCount
        while at > 0, ranks[at &- 1] > rank { at &-= 1 }
        if at > 0, ranks[at &- 1] == rank { return }
        if rankCount == ranks.count { growRanks() }
        var end = rankCount
        while end > at {
            ranks[end] = ranks[end &- 1]
            end &-= 1
        }
        ranks[at] = rank
        rankCount &+= 1
    }

    private mutating func growRanks() {
        let larger = UnsafeMutableBufferPointer<Int32>.allocate(capacity: ranks.count * 2)
        _ = larger.update(fromContentsOf: ranks)
        ranks.deallocate()
        ranks = larger
    }

    @inline(__always)
    private mutating func reserve(_ extra: Int) {
        guard length + extra > text.count else { return }
        let larger = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.count * 2, length + extra))
        _ = larger.update(fromContentsOf: text[..<length])
        text.deallocate()
        text = larger
    }

    func check() throws {
        if let fault { throw fault }
    }

    /// Every row must have found its administrator.
    func finish(_ relation: String) throws {
        try check()
        guard hasRow else { return }
        throw DirectoryError.sourceInvalid(
            "directory.\(relation) does not follow the order of directory.administrator: its keys compare otherwise")
    }
}
