internal import Postgres
private import Synchronization

/// The fields of an administrator: key, name, email, phone, profile, main group, created, updated; whether enabled, if disabled
/// administrators are among the rows; the attributes.
struct RowFields: Equatable {
    private static let fixed = 8
    let hasStatus: Bool
    /// Their number.
    let attributes: Int

    /// The field that says whether the administrator is enabled; nil if all are.
    var status: Int? { hasStatus ? Self.fixed : nil }
    /// The first attribute.
    var firstAttribute: Int { Self.fixed + (hasStatus ? 1 : 0) }
    var count: Int { firstAttribute + attributes }
}

/// A page of administrators with their groups and teams, as three binary COPYs in one order.
///
/// Unchecked: it is handed over and never shared. The reader fills it; the next owner only reads. The last reference returns its
/// memory to the reader.
package final class RowPage: @unchecked Sendable {
    /// See ``AdministratorRow`` for the fields.
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
    private let fields: RowFields

    /// Keys as the server sends them in binary, and accepts them.
    enum Keys: Equatable {
        /// All that the actor sees.
        case all
        /// Those after the first key, or from the beginning, up to and including the last.
        case keys(after: [UInt8]?, last: [UInt8])
    }

    init(_ buffers: PageBuffers, _ fields: RowFields) {
        self.buffers = buffers
        self.fields = fields
        administrators = buffers.take()
    }

    deinit {
        buffers.give(administrators)
        giveLinkBuffers()
    }

    func takeLinkBuffers() {
        (groups, teams) = (buffers.take(), buffers.take())
    }

    func giveLinkBuffers() {
        buffers.give(groups)
        buffers.give(teams)
        (groups, teams) = (CopyBuffer(), CopyBuffer())
    }

    private func rows() throws -> CopyRows {
        try CopyRows(administrators, width: fields.count)
    }

    /// Counts the rows and finds the last one's key.
    ///
    /// Rows come in the order of their keys, so two with one key are neighbours, and are found here within a page. If they are in two
    /// pages, the number of rows shows it (``PageReader``).
    ///
    /// - Parameter type: of the keys.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` for a key that occurs twice, or is missing.
    func measure(_ type: KeyTypes.KeyType) throws -> (count: Int, last: [UInt8]?) {
        guard administrators.count > 0 else { return (0, nil) }
        var rows = try rows()
        var count = 0
        var last: Range<Int>?
        while try rows.next() {
            count += 1
            let key = try rows.key
            if let last, rows.bytes.span.extracting(last).hasSameBytes(as: rows.bytes.span.extracting(key)) {
                throw DirectoryError.doubled("administrator", type.text(of: rows.bytes[key]))
            }
            last = key
        }
        return (count, last.map { Array(rows.bytes[$0]) })
    }

    /// The page in parts of about the same number of administrators, without links.
    func split(into parts: Int) throws -> [RowPage] {
        let size = max(1, count / parts)
        var pages: [RowPage] = []
        var after: [UInt8]? = if case .keys(let after, _) = keys { after } else { nil }
        var rows = try rows()
        while try rows.next() {
            if pages.last.map({ $0.count == size }) ?? true {
                if case .keys(_, let last)? = pages.last?.keys { after = last }
                pages.append(RowPage(buffers, fields))
                pages.last?.administrators.beginCopy()
            }
            guard let part = pages.last else { break }
            part.administrators.append(rows.bytes.span.extracting(rows.row))
            part.count += 1
            part.keys = .keys(after: after, last: Array(rows.bytes[try rows.key]))
        }
        return pages
    }

    /// Calls the body with each administrator, in key order.
    ///
    /// - Returns: how many references have no name.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` if groups or teams are left: the streams' orders differ.
    package func forEachRow(
        _ references: References, _ body: (borrowing AdministratorRow) throws -> Void
    ) throws -> MissingNames {
        var row = try AdministratorRow(
            administrators: rows(), fields, groups: groups, teams: teams, references: references)
        while try row.next() { try body(row) }
        try row.checkEnd()
        return row.missingNames
    }
}

/// Reuses the memory of pages, so that an export allocates none for its later pages.
final class PageBuffers: Sendable {
    /// Three pages' worth.
    private static let maxIdle = 9
    /// A buffer that a page of long rows has made larger than this is freed.
    private static let maxBytes = 6 * 1024 * 1024

    private let idle = Mutex<[CopyBuffer]>([])

    func take() -> CopyBuffer {
        idle.withLock { $0.popLast() } ?? CopyBuffer()
    }

    func give(_ buffer: CopyBuffer) {
        guard buffer.capacity > 0, buffer.capacity <= Self.maxBytes else { return }
        idle.withLock { idle in
            if idle.count < Self.maxIdle { idle.append(buffer) }
        }
    }
}
