internal import AdminExportAPI
internal import Exports
internal import JSONRPC
internal import Postgres

extension AdminExportAPI.Job {
    /// The job as it is sent to callers.
    init(_ job: JobRecord) throws {
        let options = try ExportOptions(json: job.options)
        guard let state = State(rawValue: job.state.rawValue) else {
            throw PostgresError(.unexpectedResult, "a job has the state \(job.state.rawValue), which the wire does not have")
        }
        self.init(
            id: job.id.description, tenant: job.tenantSlug, requestedBy: job.actorEmail,
            includeDisabled: options.includeDisabled, includeReferences: options.includeReferences,
            includeAbout: options.includeAbout, state: state,
            revision: job.revision, progress: Progress(rowsDone: job.rowsDone, rowsTotal: job.rowsTotal),
            queuePosition: job.queuePosition, cancelRequested: job.isCancelRequested, createdAt: job.createdAt.rfc3339,
            startedAt: job.startedAt?.rfc3339, attemptStartedAt: job.attemptStartedAt?.rfc3339,
            finishedAt: job.finishedAt?.rfc3339, expiresAt: job.expiresAt?.rfc3339,
            fileName: job.result.map { WorkbookName.name(tenant: job.tenantSlug, day: $0.day) }, size: job.result?.size,
            sha256: job.result?.sha256, rows: job.result?.rows, sheets: job.result?.sheets,
            columns: job.result.map { $0.columns ?? AdministratorsSheet.fixedTitles }, hasReceipt: job.hasReceipt,
            warnings: try Exports.Warning.list(json: job.warnings).map { Warning(kind: $0.kind, count: $0.count) },
            error: job.failure.map { Failure(kind: $0.kind, message: $0.message) })
    }
}

extension JobReply {
    init(_ job: JobRecord) throws {
        self.init(job: try AdminExportAPI.Job(job))
    }
}

extension Identifier {
    /// - Throws: ``RPCError`` −32602
    init(param text: String, _ name: String = "job") throws(RPCError) {
        guard let id = Self(text) else { throw .invalidParams(name, "The parameter \(name) must be a UUID.") }
        self = id
    }
}

extension Timestamp {
    /// UTC, with milliseconds.
    var rfc3339: String { RFC3339.text(microseconds: microseconds) }
}

/// A result that is written as JSON without an encoder, some ten times as fast: the results of the most frequent calls.
protocol DirectlyEncoded {
    var json: [UInt8] { get }
}

extension JobReply: DirectlyEncoded {
    var json: [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(1_024)
        json += "{\"job\":".utf8
        job.append(to: &json)
        json.append(UInt8(ascii: "}"))
        return json
    }
}

extension ExportStart.Result: DirectlyEncoded {
    var json: [UInt8] {
        JobReply(job: job).json.dropLast() + Array(",\"replayed\":\(replayed)}".utf8)
    }
}

extension AdminExportAPI.Job {
    private static let writers = members.map { (start: Array(",\"\($0.property.name)\":".utf8), value: $0.value) }

    fileprivate func append(to json: inout [UInt8]) {
        let start = json.count
        for writer in Self.writers {
            json += writer.start
            writer.value(self).append(to: &json)
        }
        // Replaces the first comma.
        json[start] = UInt8(ascii: "{")
        json.append(UInt8(ascii: "}"))
    }
}

extension JSONValue {
    fileprivate func append(to json: inout [UInt8]) {
        switch self {
        case .null: json += "null".utf8
        case .boolean(let value): json += (value ? "true" : "false").utf8
        case .integer(let value): json += String(value).utf8
        case .string(let value): JSONText.append(value, to: &json)
        case .array(let elements):
            json.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { json.append(UInt8(ascii: ",")) }
                element.append(to: &json)
            }
            json.append(UInt8(ascii: "]"))
        case .object(let members):
            json.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { json.append(UInt8(ascii: ",")) }
                JSONText.append(member.key, to: &json)
                json.append(UInt8(ascii: ":"))
                member.value.append(to: &json)
            }
            json.append(UInt8(ascii: "}"))
        }
    }
}
