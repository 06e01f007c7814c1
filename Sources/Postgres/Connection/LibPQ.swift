internal import CLibPQ
private import Glibc

/// The `PGconn`: one owner, closed when it goes.
///
/// Every wait is on `poll` with a deadline, on libpq's asynchronous calls: a blocking libpq call has no time limit.
struct PGHandle: ~Copyable {
    let raw: OpaquePointer

    private init(raw: OpaquePointer) {
        self.raw = raw
    }

    deinit {
        PQfinish(raw)
    }

    /// Connects, or says why not.
    ///
    /// - Throws: ``PostgresError``: `invalidConnectionString`, `unreachable`, `refused`, `timedOut`.
    static func connect(_ options: ConnectionOptions) throws(PostgresError) -> PGHandle {
        // What stands in the connection string comes after the password here, and so before it.
        let words =
            (options.password.map { [("password", $0)] } ?? []) + [
                ("dbname", options.connectionString), ("fallback_application_name", options.applicationName),
                ("client_encoding", "UTF8"), ("keepalives_idle", "30"), ("keepalives_interval", "5"),
                ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
            ]
        if let fault = ConnectionString.fault(options.connectionString) {
            throw PostgresError(.invalidConnectionString, "the database URL is not valid: \(fault)")
        }
        let raw = withWords(words) { PQconnectStartParams($0, $1, 1) }
        guard let raw else { throw PostgresError(.unreachable, "there is no memory for a connection") }
        let handle = PGHandle(raw: raw)
        // With this the server's refusal comes with its SQLSTATE, which no language setting translates.
        PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        // libpq prints notices, and a setting of the login that has become invalid is one before the first statement.
        PQsetNoticeReceiver(raw, { _, _ in }, nil)
        guard PQstatus(raw) != CONNECTION_BAD else { throw connectFault(raw, hasStarted: false) }
        var deadline = ContinuousClock.now + options.connectTimeout
        var host = currentHost(raw)
        var wanted = PGRES_POLLING_WRITING
        while wanted != PGRES_POLLING_OK {
            let events = Int16(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT)
            guard poll(PQsocket(raw), events, until: deadline) else {
                throw PostgresError(.timedOut, "PostgreSQL did not answer within \(options.connectTimeout)")
            }
            wanted = PQconnectPoll(raw)
            if wanted == PGRES_POLLING_FAILED { throw connectFault(raw, hasStarted: true) }
            // A URL may name several servers, and each has its time, as with libpq's own connect_timeout.
            if currentHost(raw) != host {
                host = currentHost(raw)
                deadline = ContinuousClock.now + options.connectTimeout
            }
        }
        PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
        return handle
    }

    private static func currentHost(_ raw: OpaquePointer) -> String {
        [PQhost(raw), PQhostaddr(raw), PQport(raw)].map { $0.map { String(cString: $0) } ?? "" }.joined(separator: " ")
    }

    /// Arrays of C strings, ended by null, as `PQconnectStartParams` takes them.
    private static func withWords<Result>(
        _ words: [(String, String)],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        let keys = words.map { strdup($0.0) }
        let values = words.map { strdup($0.1) }
        defer { (keys + values).forEach { free($0) } }
        let keyPointers = keys.map { UnsafePointer($0) } + [nil]
        let valuePointers = values.map { UnsafePointer($0) } + [nil]
        return keyPointers.withUnsafeBufferPointer { keyBuffer in
            valuePointers.withUnsafeBufferPointer { valueBuffer in
                guard let keys = keyBuffer.baseAddress, let values = valueBuffer.baseAddress else {
                    preconditionFailure("arrays with a terminator are not empty")
                }
                return body(keys, values)
            }
        }
    }

    /// Tells a server that is not there from one that says no: by the SQLSTATE of its refusal.
    ///
    /// libpq's own texts quote pieces of the URL, which may be pieces of a password; they are kept out of the message.
    ///
    /// - Parameter hasStarted: the options were taken, and the network tried.
    private static func connectFault(_ raw: OpaquePointer, hasStarted: Bool) -> PostgresError {
        let text = String(cString: PQerrorMessage(raw)).trimmedLines
        if let match = text.firstMatch(of: /:  ([0-9A-Z]{5}): ([^;]*)/) {
            let sqlState = String(match.1)
            // Class 22: an option of the connection, such as one of PGOPTIONS, has a value that the server does not take.
            let refuses = ["22", "28", "42", "0L"].contains { sqlState.hasPrefix($0) } || sqlState == "3D000"
            return PostgresError(
                refuses ? .refused : .unreachable, String(match.2), sqlState: sqlState, serverMessage: text)
        }
        if text.contains("no password supplied") {
            return PostgresError(.refused, "the server asks for a password, and none is configured", serverMessage: text)
        }
        if !hasStarted, text.contains("invalid") {
            return PostgresError(.invalidConnectionString, "the database URL has an option with an invalid value")
        }
        let host = PQhost(raw).map { String(cString: $0) } ?? ""
        let place = host.hasPrefix("/") ? "the socket in \(host)" : "its host"
        return PostgresError(
            .unreachable, "PostgreSQL cannot be reached at \(place)\(cause(text).map { ": \($0)" } ?? "")",
            serverMessage: text)
    }

    /// What libpq says after the host's name and port, which stand in the URL and may be a piece of a password that was not escaped.
    static func cause(_ text: String) -> String? {
        let causes = text.split(separator: ";").compactMap { line -> String? in
            if let failed = line.firstRange(of: "failed: ") { return String(line[failed.upperBound...]) }
            return line.firstMatch(of: /could not translate host name ".*" to address: (.*)/)
                .map { "its name cannot be resolved: \($0.1)" }
        }
        return causes.isEmpty ? nil : causes.joined(separator: "; ")
    }

    /// Waits for the descriptor. False at the deadline.
    static func poll(_ descriptor: Int32, _ events: Int16, until deadline: ContinuousClock.Instant?) -> Bool {
        while true {
            var timeout: Int32 = -1
            if let deadline {
                let left = ContinuousClock.now.duration(to: deadline)
                guard left > .zero else { return false }
                timeout = Int32(
                    clamping: left.components.seconds * 1_000 + 1 + left.components.attoseconds / 1_000_000_000_000_000)
            }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = Glibc.poll(&entry, 1, timeout)
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { return true }
        }
    }

    static func isReadable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&entry, 1, 0) > 0
    }

    /// The error that the connection itself is in.
    func lost(during query: String) -> PostgresError {
        PostgresError(
            .connectionLost, "the connection to PostgreSQL was lost",
            serverMessage: String(cString: PQerrorMessage(raw)).trimmedLines, query: query)
    }
}

/// The `PGresult`: one owner, cleared when it goes.
struct PGResult: ~Copyable {
    let raw: OpaquePointer

    init(_ raw: OpaquePointer) {
        self.raw = raw
    }

    deinit {
        PQclear(raw)
    }

    var status: ExecStatusType { PQresultStatus(raw) }

    /// The server's error, if this is one.
    func fault(query: String) -> PostgresError {
        func field(_ code: Int32) -> String? {
            PQresultErrorField(raw, code).map { String(cString: $0) }
        }
        let sqlState = field(Int32(UInt8(ascii: "C")))
        let message = field(Int32(UInt8(ascii: "M"))) ?? String(cString: PQresultErrorMessage(raw)).trimmedLines
        return PostgresError(
            sqlState == nil ? .connectionLost : .statement,
            sqlState == nil ? "the connection to PostgreSQL was lost" : "PostgreSQL refused the statement",
            sqlState: sqlState, serverMessage: message, hint: field(Int32(UInt8(ascii: "H"))), query: query)
    }

    var rowCount: Int { Int(PQntuples(raw)) }

    /// The rows, in the binary format of COPY.
    func append(to buffer: CopyBuffer) {
        let width = PQnfields(raw)
        for row in 0..<PQntuples(raw) {
            buffer.append(bigEndian: Int16(width))
            for column in 0..<width {
                let isNull = PQgetisnull(raw, row, column) != 0
                let length = isNull ? -1 : PQgetlength(raw, row, column)
                buffer.append(bigEndian: length)
                if !isNull, let value = PQgetvalue(raw, row, column) { buffer.append(value, Int(length)) }
            }
        }
    }

    func rows(query: String) -> [Row] {
        let width = PQnfields(raw)
        let columns = Row.Columns(
            names: (0..<width).map { String(cString: PQfname(raw, $0)) },
            types: (0..<width).map { PQftype(raw, $0) }, query: query)
        return (0..<PQntuples(raw)).map { row in
            Row(
                columns: columns,
                values: (0..<width).map { column in
                    guard PQgetisnull(raw, row, column) == 0 else { return nil }
                    let bytes = UnsafeRawBufferPointer(
                        start: PQgetvalue(raw, row, column), count: Int(PQgetlength(raw, row, column)))
                    return Array(bytes)
                })
        }
    }
}

extension String {
    /// One line, without what libpq adds at the ends.
    var trimmedLines: String {
        split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: "; ")
    }
}

/// Questions about a libpq connection string that can be answered without connecting.
package enum ConnectionString {
    /// What is wrong with it, or nil. The text quotes no value.
    package static func fault(_ text: String) -> String? {
        guard let options = PQconninfoParse(text, nil) else {
            return "it is neither a libpq URI (postgresql://…) nor a list of key=value"
        }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "port", let value = option.pointee.val,
                !String(cString: value).split(separator: ",").allSatisfy({ UInt16($0) != nil })
            {
                return "its port is not a number; a / or @ in a password is written %2F or %40"
            }
            option += 1
        }
        return nil
    }

    /// Whether it holds a password.
    package static func hasPassword(_ text: String) -> Bool { values(text)["password"] != nil }

    /// Whether the two name the same server and login, whatever the database. Two ways to write one server count as two.
    package static func haveOneLogin(_ one: String, _ other: String) -> Bool {
        let (one, other) = (values(one), values(other))
        return ["service", "host", "hostaddr", "port", "user"].allSatisfy { one[$0] == other[$0] }
    }

    /// What is given, by keyword.
    private static func values(_ text: String) -> [String: String] {
        guard let options = PQconninfoParse(text, nil) else { return [:] }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}
