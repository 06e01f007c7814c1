internal import AdminExportAPI
internal import Exports
private import Foundation
internal import JSONRPC
internal import Postgres

extension AdminExportAPI.Job {
    /// The job as it goes over the wire.
    init(_ job: Exports.Job) throws {
        let options = try ExportOptions(json: job.options)
        guard let state = State(rawValue: job.state.rawValue) else {
            throw PostgresError(.unexpectedResult, "a job has a state that the wire does not know")
        }
        self.init(
            id: job.id.description, tenant: job.tenantSlug, requestedBy: job.actorEmail,
            includeDisabled: options.includeDisabled, includeReferences: options.includeReferences, state: state,
            revision: job.revision, progress: Progress(rowsDone: job.rowsDone, rowsTotal: job.rowsTotal),
            queuePosition: job.queuePosition, cancelRequested: job.isCancelRequested, createdAt: job.createdAt.rfc3339,
            startedAt: job.startedAt?.rfc3339, attemptStartedAt: job.attemptStartedAt?.rfc3339,
            finishedAt: job.finishedAt?.rfc3339, expiresAt: job.expiresAt?.rfc3339,
            fileName: job.result.map { WorkbookName.name(tenant: job.tenantSlug, day: $0.day) }, size: job.result?.size,
            sha256: job.result?.sha256, rows: job.result?.rows, sheets: job.result?.sheets,
            warnings: try Exports.Warning.list(json: job.warnings).map { Warning(kind: $0.kind, count: $0.count) },
            error: job.failure.map { Failure(kind: $0.kind, message: $0.message) })
    }
}

extension JobReply {
    init(_ job: Exports.Job) throws {
        self.init(job: try AdminExportAPI.Job(job))
    }
}

extension JobID {
    /// - Throws: ``RPCError`` −32602
    init(param text: String, _ name: String = "job") throws(RPCError) {
        guard let id = JobID(text) else { throw .invalidParams(name, "\(name) is not an id; ids are UUIDs.") }
        self = id
    }
}

extension Int64 {
    /// The quotient rounded down, and what is left.
    fileprivate func dividedDown(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension Timestamp {
    /// UTC, with milliseconds.
    var rfc3339: String {
        let (day, rest) = microseconds.dividedDown(by: 86_400_000_000)
        let (year, month, dayOfMonth) = Self.civil(daysSince1970: day)
        guard (0...9_999).contains(year) else { return slowRFC3339 }
        let milliseconds = rest / 1_000
        var text: [UInt8] = []
        text.reserveCapacity(24)
        func append(_ value: Int64, digits: Int, _ end: Unicode.Scalar) {
            var power: Int64 = digits == 4 ? 1_000 : digits == 3 ? 100 : 10
            while power > 0 {
                text.append(UInt8(ascii: "0") + UInt8(value / power % 10))
                power /= 10
            }
            text.append(UInt8(ascii: end))
        }
        append(year, digits: 4, "-")
        append(month, digits: 2, "-")
        append(dayOfMonth, digits: 2, "T")
        append(milliseconds / 3_600_000, digits: 2, ":")
        append(milliseconds / 60_000 % 60, digits: 2, ":")
        append(milliseconds / 1_000 % 60, digits: 2, ".")
        append(milliseconds % 1_000, digits: 3, "Z")
        return String(decoding: text, as: UTF8.self)
    }

    /// Any year at all. Some forty times as slow.
    var slowRFC3339: String {
        let milliseconds = (Double(microseconds) / 1_000).rounded(.down)
        return Date(timeIntervalSince1970: milliseconds / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: .gmt))
    }

    /// Howard Hinnant's `civil_from_days`.
    private static func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).dividedDown(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
