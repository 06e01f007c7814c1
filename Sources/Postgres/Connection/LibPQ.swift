private import CLibPQ
private import Glibc

// All calls of libpq. SAFETY, for every `unsafe` here that has no line of its own: libpq's functions take the pointer of an open
// PGconn, PGresult or PGcancel, which its owner below keeps until its deinit and lends to nobody; strings and values that they return
// are copied before the next call.

/// A connection of libpq (`PGconn`). It is closed with this value.
///
/// libpq's blocking functions have no time limit, so this uses the asynchronous ones and waits in `poll` with a deadline.
@safe struct PGHandle: ~Copyable {
    private let raw: OpaquePointer

    private init(raw: OpaquePointer) {
        unsafe self.raw = raw
    }

    deinit {
        unsafe PQfinish(raw)
    }

    /// Connects.
    ///
    /// - Throws: ``PostgresError``: `invalidConnectionString`, `unreachable`, `refused`, `timedOut`.
    static func connect(_ options: ConnectionOptions) throws(PostgresError) -> PGHandle {
        if let fault = ConnectionString.fault(options.connectionString) {
            throw PostgresError(.invalidConnectionString, "the database URL is not valid: \(fault)")
        }
        // The last of two values counts, so the connection string, given as `dbname`, goes before the password.
        let parameters =
            (options.password.map { [("password", $0)] } ?? []) + [
                ("dbname", options.connectionString), ("fallback_application_name", options.applicationName),
                ("client_encoding", "UTF8"), ("keepalives_idle", "30"), ("keepalives_interval", "5"),
                ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
            ]
        var (keys, values) = (CStrings(), CStrings())
        for (key, value) in parameters {
            keys.append(key.utf8)
            values.append(value.utf8)
        }
        keys.appendNull()
        values.appendNull()
        let started = unsafe keys.withPointers { keys in
            unsafe values.withPointers { unsafe PQconnectStartParams(keys, $0, 1) }
        }
        guard let raw = unsafe started else {
            throw PostgresError(.unreachable, "there is not enough memory for a connection")
        }
        let handle = unsafe PGHandle(raw: raw)
        try handle.finishConnecting(within: options.connectTimeout)
        return handle
    }

    private func finishConnecting(within timeout: Duration) throws(PostgresError) {
        // Verbose errors contain the SQLSTATE of a refusal, which no language setting translates.
        unsafe PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        // libpq prints notices by default. The first one can come before the first statement: a setting of the login became invalid.
        unsafe PQsetNoticeReceiver(raw, { _, _ in }, nil)
        guard unsafe PQstatus(raw) != CONNECTION_BAD else { throw connectionFault(hasStarted: false) }
        var deadline = ContinuousClock.now + timeout
        var host = currentHost
        var wanted = PGRES_POLLING_WRITING
        while wanted != PGRES_POLLING_OK {
            guard Self.poll(socket, wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, until: deadline) else {
                throw PostgresError(.timedOut, "PostgreSQL did not answer within \(timeout)")
            }
            wanted = unsafe PQconnectPoll(raw)
            if wanted == PGRES_POLLING_FAILED { throw connectionFault(hasStarted: true) }
            // A URL may name several servers. Each has the whole time, as with libpq's own connect_timeout.
            if currentHost != host {
                host = currentHost
                deadline = ContinuousClock.now + timeout
            }
        }
        unsafe PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
    }

    private var currentHost: [String?] {
        unsafe [PQhost(raw), PQhostaddr(raw), PQport(raw)].map(String.init(c:))
    }

    /// Tells a server that cannot be reached from one that refuses the connection, by the SQLSTATE of the refusal.
    ///
    /// libpq's own texts quote parts of the URL, which may be parts of a password, so the message contains none of them.
    ///
    /// - Parameter hasStarted: libpq accepted the options and tried the network.
    private func connectionFault(hasStarted: Bool) -> PostgresError {
        let text = errorText
        if let match = text.firstMatch(of: /:  ([0-9A-Z]{5}): ([^;]*)/) {
            let sqlState = String(match.1)
            // Class 22: the server does not accept the value of an option, such as one in PGOPTIONS.
            let refuses = ["22", "28", "42", "0L"].contains { sqlState.hasPrefix($0) } || sqlState == "3D000"
            return PostgresError(
                refuses ? .refused : .unreachable, String(match.2), sqlState: sqlState, serverMessage: text)
        }
        if text.contains("no password supplied") {
            return PostgresError(
                .refused, "the server requires a password, but the configuration has none", serverMessage: text)
        }
        if !hasStarted, text.contains("invalid") {
            return PostgresError(.invalidConnectionString, "the database URL has an option with an invalid value")
        }
        let host = unsafe String(c: PQhost(raw)) ?? ""
        let place = host.hasPrefix("/") ? "the socket in \(host)" : "its host"
        return PostgresError(
            .unreachable, "PostgreSQL cannot be reached at \(place)\(Self.cause(text).map { ": \($0)" } ?? "")",
            serverMessage: text)
    }

    /// The part of libpq's text after the host's name and port. These come from the URL and may be parts of a password that was not
    /// escaped.
    static func cause(_ text: String) -> String? {
        let causes = text.split(separator: ";").compactMap { line -> String? in
            if let failed = line.firstRange(of: "failed: ") { return String(line[failed.upperBound...]) }
            return line.firstMatch(of: /could not translate host name ".*" to address: (.*)/)
                .map { "its name cannot be resolved: \($0.1)" }
        }
        return causes.isEmpty ? nil : causes.joined(separator: "; ")
    }

    // MARK: State

    var socket: Int32 { unsafe PQsocket(raw) }

    var isOpen: Bool { unsafe PQstatus(raw) == CONNECTION_OK }

    /// No transaction and no statement runs.
    var isIdle: Bool { unsafe PQtransactionStatus(raw) == PQTRANS_IDLE }

    /// The server's major version.
    var serverVersion: Int { unsafe Int(PQserverVersion(raw)) / 10_000 }

    /// The process number that the server, or a pooler, reported at the start.
    var serverProcess: Int { unsafe Int(PQbackendPID(raw)) }

    var serverEncoding: String? { unsafe String(c: PQparameterStatus(raw, "server_encoding")) }

    private var errorText: String { (unsafe String(c: PQerrorMessage(raw)) ?? "").joinedLines }

    /// The error for a connection that was lost.
    func lost(during query: String) -> PostgresError {
        PostgresError(.connectionLost, "the connection to PostgreSQL was lost", serverMessage: errorText, query: query)
    }

    func cancelRequest() -> PGCancelRequest { unsafe PGCancelRequest(PQgetCancel(raw)) }

    // MARK: Sending. Each returns false if libpq could not send.

    func send(script: String) -> Bool { unsafe PQsendQuery(raw, script) == 1 }

    /// Enters or leaves pipeline mode, in which statements are sent before earlier results are read. Returns false if libpq refuses.
    func setPipelineMode(_ isOn: Bool) -> Bool { unsafe (isOn ? PQenterPipelineMode(raw) : PQexitPipelineMode(raw)) == 1 }

    /// Sends a Sync, which ends the pipeline, and what is still buffered.
    func sendSync() -> Bool { unsafe PQpipelineSync(raw) == 1 }

    func sendPrepare(_ name: String, _ sql: String) -> Bool { unsafe PQsendPrepare(raw, name, sql, 0, nil) == 1 }

    /// Asks for results in the binary format.
    ///
    /// - Parameters:
    ///   - query: ``Query/checkTexts()`` must have accepted its texts.
    ///   - statement: the name under which the query is prepared.
    func send(_ query: Query, as statement: String?) -> Bool {
        var values = CStrings()
        var lengths: [Int32] = []
        var formats: [Int32] = []
        for parameter in query.parameters {
            switch parameter {
            case .null: values.appendNull()
            case .text(let text): values.append(text.utf8)
            case .bytes(let bytes): values.append(bytes)
            }
            // libpq reads the length only for the binary format.
            if case .bytes(let bytes) = parameter {
                lengths.append(Int32(bytes.count))
                formats.append(1)
            } else {
                lengths.append(0)
                formats.append(0)
            }
        }
        let count = Int32(lengths.count)
        return unsafe values.withPointers { values in
            if let statement {
                unsafe PQsendQueryPrepared(raw, statement, count, values, lengths, formats, 1) == 1
            } else {
                unsafe PQsendQueryParams(raw, query.sql, count, nil, values, lengths, formats, 1) == 1
            }
        }
    }

    // MARK: Receiving

    /// Whether ``nextResult()`` would block.
    var isBusy: Bool { unsafe PQisBusy(raw) == 1 }

    /// Reads what the server has sent; false if the connection is lost.
    func consumeInput() -> Bool { unsafe PQconsumeInput(raw) == 1 }

    func nextResult() -> PGResult? { unsafe PQgetResult(raw).map { unsafe PGResult($0) } }

    enum CopyState {
        /// The bytes have the size that was asked for.
        case full
        /// All that has arrived was read.
        case pending
        case ended
    }

    /// Appends the messages of a COPY, one for each row, until there are `size` bytes.
    func readCopy(into bytes: inout [UInt8], atLeast size: Int) -> CopyState {
        while bytes.count < size {
            var message: UnsafeMutablePointer<CChar>?
            let length = unsafe PQgetCopyData(raw, &message, 1)
            guard length > 0 else { return length == 0 ? .pending : .ended }
            unsafe bytes.appendBytes(UnsafeRawBufferPointer(start: message, count: Int(length)))
            unsafe PQfreemem(message)
        }
        return .full
    }

    /// The payload of the next notification.
    func nextNotification() -> String? {
        guard let notification = unsafe PQnotifies(raw) else { return nil }
        defer { unsafe PQfreemem(notification) }
        return unsafe String(c: notification.pointee.extra) ?? ""
    }

    /// Waits for the descriptor, or for input on the other one. False at the deadline.
    static func poll(
        _ descriptor: Int32, _ events: Int32 = POLLIN, or other: Int32 = -1, until deadline: ContinuousClock.Instant?
    ) -> Bool {
        while true {
            var timeout: Int32 = -1
            if let deadline {
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { return false }
                timeout = Int32(
                    clamping: left.components.seconds * 1_000 + 1 + left.components.attoseconds / 1_000_000_000_000_000)
            }
            // poll ignores a negative descriptor.
            var entries = [
                pollfd(fd: descriptor, events: Int16(events), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            // SAFETY: the array has the number of entries that is given.
            let ready = unsafe Glibc.poll(&entries, 2, timeout)
            if ready > 0 || ready < 0 && errno != EINTR { return true }
        }
    }

    /// Whether the socket has unread input, which means for an idle connection that the server has closed it.
    var hasUnreadInput: Bool {
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        // SAFETY: one entry, as given.
        return unsafe Glibc.poll(&entry, 1, 0) > 0
    }
}

/// A result of libpq (`PGresult`). It is freed with this value.
@safe struct PGResult: ~Copyable {
    private let raw: OpaquePointer

    fileprivate init(_ raw: OpaquePointer) {
        unsafe self.raw = raw
    }

    deinit {
        unsafe PQclear(raw)
    }

    enum Kind {
        case rows
        /// The statement ended and gives no rows.
        case done
        case copyOut
        /// The end of a pipeline.
        case sync
        /// Not run, because a statement before it in the pipeline has failed.
        case skipped
        case error
    }

    var kind: Kind {
        switch unsafe PQresultStatus(raw) {
        case PGRES_TUPLES_OK: .rows
        case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: .done
        case PGRES_COPY_OUT: .copyOut
        case PGRES_PIPELINE_SYNC: .sync
        case PGRES_PIPELINE_ABORTED: .skipped
        default: .error
        }
    }

    /// The server's error, of a result of this kind.
    func fault(query: String) -> PostgresError {
        func field(_ code: Unicode.Scalar) -> String? { unsafe String(c: PQresultErrorField(raw, Int32(code.value))) }
        let sqlState = field("C")
        let message = field("M") ?? (unsafe String(c: PQresultErrorMessage(raw)) ?? "").joinedLines
        return PostgresError(
            sqlState == nil ? .connectionLost : .statement,
            sqlState == nil ? "the connection to PostgreSQL was lost" : "PostgreSQL refused the statement",
            sqlState: sqlState, serverMessage: message, hint: field("H"), query: query)
    }

    var rowCount: Int { unsafe Int(PQntuples(raw)) }

    private var width: Int32 { unsafe PQnfields(raw) }

    /// Calls the body with each value, row by row; with nil for null.
    private func forEachValue(_ body: (_ column: Int32, UnsafeRawBufferPointer?) -> Void) {
        for row in 0..<Int32(rowCount) {
            for column in 0..<width {
                guard unsafe PQgetisnull(raw, row, column) == 0 else {
                    body(column, nil)
                    continue
                }
                unsafe body(
                    column,
                    UnsafeRawBufferPointer(start: PQgetvalue(raw, row, column), count: Int(PQgetlength(raw, row, column))))
            }
        }
    }

    /// Fills the buffer with the rows, in the binary format of COPY.
    func copy(into buffer: CopyBuffer) {
        buffer.beginCopy()
        let width = width
        unsafe forEachValue { column, value in
            if column == 0 { buffer.append(bigEndian: Int16(width)) }
            unsafe buffer.append(bigEndian: value.map { Int32($0.count) } ?? -1)
            if let value = unsafe value { unsafe buffer.append(value) }
        }
        buffer.endCopy()
    }

    func rows(query: String) -> [Row] {
        var bytes: [UInt8] = []
        var fields: [CopyField] = []
        unsafe forEachValue { _, value in
            guard let value = unsafe value else { return fields.append(.null) }
            fields.append(CopyField(start: bytes.count, count: value.count))
            unsafe bytes.append(contentsOf: value)
        }
        let result = Row.Result(
            names: (0..<width).map { unsafe String(c: PQfname(raw, $0)) ?? "" },
            types: (0..<width).map { unsafe PQftype(raw, $0) }, query: query, bytes: bytes, fields: fields)
        return (0..<rowCount).map { Row(result, $0) }
    }
}

/// A request to cancel (`PGcancel`), for any thread.
///
/// Unchecked: libpq documents that other threads may use a PGcancel; the pointer never changes, and is freed with the last reference.
@safe final class PGCancelRequest: @unchecked Sendable {
    private let raw: OpaquePointer?

    fileprivate init(_ raw: OpaquePointer?) {
        unsafe self.raw = raw
    }

    deinit {
        unsafe PQfreeCancel(raw)
    }

    /// Opens a connection, sends the request and waits until the server closes the connection, without a time limit.
    func send() {
        guard let raw = unsafe raw else { return }
        var message = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(raw, &message, Int32(message.count))
    }
}

/// The values that a connection string sets, by keyword; nil if libpq cannot read it.
func connectionStringValues(_ text: String) -> [String: String]? {
    guard let options = unsafe PQconninfoParse(text, nil) else { return nil }
    defer { unsafe PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = unsafe options
    // SAFETY: an entry without a keyword ends the array.
    while let keyword = unsafe String(c: option.pointee.keyword) {
        values[keyword] = unsafe String(c: option.pointee.val)
        unsafe option += 1
    }
    return values
}

/// Values for libpq in one piece of memory, each with a NUL at its end.
private struct CStrings {
    private var bytes: [CChar] = []
    private var starts: [Int?] = []

    mutating func append(_ value: some Sequence<UInt8>) {
        starts.append(bytes.count)
        bytes.append(contentsOf: value.lazy.map { CChar(bitPattern: $0) })
        bytes.append(0)
    }

    mutating func appendNull() {
        starts.append(nil)
    }

    /// Lends a pointer to each value, and a null pointer for each null.
    func withPointers<Result>(_ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            // SAFETY: every start lies within the bytes, which outlive the body.
            unsafe body(
                starts.map { start in unsafe start.flatMap { start in unsafe bytes.baseAddress.map { unsafe $0 + start } } })
        }
    }
}

extension String {
    /// A copy of a C string.
    fileprivate init?(c pointer: UnsafePointer<CChar>?) {
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.init(cString: pointer)
    }

    fileprivate init?(c pointer: UnsafeMutablePointer<CChar>?) {
        unsafe self.init(c: UnsafePointer(pointer))
    }

    /// The lines that libpq wrote, joined to one.
    fileprivate var joinedLines: String {
        split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: "; ")
    }
}
