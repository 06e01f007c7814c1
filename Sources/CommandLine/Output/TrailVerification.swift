internal import AdminExportAPI
internal import AdminExportClient
internal import Evidence
private import Foundation

/// Compares the audit trail with its signed checkpoints, and with checkpoints that somebody has kept elsewhere.
struct TrailVerification {
    let client: ReconnectingClient
    let keys: [VerificationKey]
    /// The path of the kept checkpoints; nil for none.
    let since: String?

    /// What the verification has shown.
    struct Report: Encodable {
        /// The number of verified checkpoints.
        var checkpoints = 0
        /// Whether everything is as the workers have signed it.
        var isVerified: Bool { faults.isEmpty }
        /// The number of events that the checkpoints cover and that are in the trail.
        var events = 0
        /// The end of what the checkpoints cover, exclusive.
        var coveredBefore: String?
        /// The day before which the owner has removed events.
        var prunedBefore: String?
        /// The number of events that no checkpoint covers yet; nil if there are very many.
        var eventsSince: Int?
        /// The number of kept checkpoints that the trail contains.
        var kept: Int?
        /// What is wrong, in words.
        var faults: [String] = []

        private enum CodingKeys: String, CodingKey {
            case checkpoints, isVerified, events, coveredBefore, prunedBefore, eventsSince, kept, faults
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(checkpoints, forKey: .checkpoints)
            try container.encode(isVerified, forKey: .isVerified)
            try container.encode(events, forKey: .events)
            try container.encodeIfPresent(coveredBefore, forKey: .coveredBefore)
            try container.encodeIfPresent(prunedBefore, forKey: .prunedBefore)
            try container.encodeIfPresent(eventsSince, forKey: .eventsSince)
            try container.encodeIfPresent(kept, forKey: .kept)
            try container.encode(faults, forKey: .faults)
        }
    }

    /// Reads all checkpoints and all events that they cover.
    ///
    /// - Throws: ``ClientError``; ``EvidenceFault`` if the file of kept checkpoints cannot be read.
    func run() async throws -> Report {
        let kept = try since.map { try KeptCheckpoints(path: $0).checkpoints }
        var report = Report()
        let chain = try await chain(&report)
        report.checkpoints = chain.links.count
        report.coveredBefore = chain.links.last?.predicate.before
        report.prunedBefore = chain.links.last?.predicate.prunedBefore
        if chain.links.isEmpty, report.faults.isEmpty {
            report.faults.append(
                "the trail has no checkpoint: no worker has a signing key, or checkpoints were removed; see adminexportd make-key"
            )
        }
        if let kept {
            report.kept = 0
            for checkpoint in kept {
                do {
                    try chain.check(contains: checkpoint)
                    report.kept = (report.kept ?? 0) + 1
                } catch {
                    report.faults.append(error.description)
                }
            }
        }
        for link in chain.links { try await compare(link.predicate, &report) }
        let rest = try await client.call(
            AuditDigest.self, .init(from: report.coveredBefore, before: "9999-12-31T23:59:59Z"))
        report.eventsSince = rest.isComplete ? rest.events : nil
        return report
    }

    /// The chain up to its end, or up to its first fault.
    private func chain(_ report: inout Report) async throws -> CheckpointChain {
        var chain = CheckpointChain(keys)
        let limit = 100
        while true {
            let page = try await client.call(
                AuditCheckpoints.self, .init(after: chain.links.count, limit: limit)
            ).checkpoints
            do {
                for checkpoint in page { try chain.append(Checkpoint(json: try JSONEncoder().encode(checkpoint.envelope))) }
            } catch let fault as EvidenceFault {
                report.faults.append(fault.description)
                return chain
            }
            if page.count < limit { return chain }
        }
    }

    /// Compares the events of a checkpoint with its digest.
    private func compare(_ predicate: CheckpointPredicate, _ report: inout Report) async throws {
        let now = try await client.call(AuditDigest.self, .init(from: predicate.from, before: predicate.before))
        let isPruned = report.prunedBefore.map { predicate.before <= "\($0)T00:00:00.000000Z" } ?? false
        report.events += now.events
        if now.isComplete, now.sha256 == predicate.sha256 || isPruned && now.events == 0 { return }
        let period = "from \(predicate.from ?? "the beginning") to \(predicate.before) (checkpoint \(predicate.number))"
        let difference = now.events - predicate.events
        report.faults.append(
            !now.isComplete || difference > 0
                ? "events were added \(period): \(now.isComplete ? "\(now.events)" : "more than \(now.events)") instead of \(predicate.events)"
                : difference < 0
                    ? "events were removed \(period): \(now.events) instead of \(predicate.events)"
                    : "events were changed \(period)")
    }
}

extension TrailVerification.Report {
    /// The report in words, if everything is verified.
    var text: TerminalText {
        var lines: [TerminalText] = [
            "Verified: the audit trail is as the workers have signed it in \(ProgressBar.grouped(checkpoints)) checkpoints. Nobody has changed, added or removed an event since."
        ]
        func add(_ label: TerminalText, _ value: String) { lines.append((label + ":").padded(to: 15) + "\(value)") }
        lines.append("")
        add("Events", ProgressBar.grouped(events))
        add("Covered", "before \(coveredBefore ?? "")")
        if let prunedBefore {
            add("Removed", "the events before \(prunedBefore), by adminexportd prune, which a worker has signed")
        }
        add(
            "Not covered",
            (eventsSince.map { "\(ProgressBar.grouped($0)) events" }
                ?? "more than \(ProgressBar.grouped(AuditDigest.maxEvents)) events")
                + " since then; the next checkpoint covers them")
        if let kept { add("Kept", "\(ProgressBar.grouped(kept)) checkpoints, all in the trail") }
        return lines.joined(separator: "\n")
    }
}

/// A file of checkpoints, each on a line as JSON.
struct KeptCheckpoints {
    private static let maxBytes = 64 << 20

    /// The checkpoints in the order of the file.
    let checkpoints: [Checkpoint]
    /// Whether the last line has no end.
    let isCutOff: Bool

    /// Reads a file.
    ///
    /// - Throws: ``EvidenceFault`` if it cannot be read, or contains anything else.
    init(path: String) throws(EvidenceFault) {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: Self.maxBytes + 1) ?? Data()
        } catch {
            throw EvidenceFault(.malformed, "the file of checkpoints \(path) cannot be read; check its path and mode")
        }
        guard data.count <= Self.maxBytes else {
            throw EvidenceFault(.malformed, "\(path) is too long; the newest checkpoints are enough, so keep the last lines")
        }
        var checkpoints: [Checkpoint] = []
        for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated() {
            do {
                checkpoints.append(try Checkpoint(json: Data(line)))
            } catch {
                throw EvidenceFault(.malformed, "line \(index + 1) of \(path) is not a checkpoint, or is cut off; remove it")
            }
        }
        self.checkpoints = checkpoints
        isCutOff = data.last.map { $0 != UInt8(ascii: "\n") } ?? false
    }

    /// Appends the checkpoints of the trail that the file does not have yet.
    ///
    /// - Returns: how many.
    /// - Throws: ``ClientError``; ``EvidenceFault`` if the trail does not continue the file; ``CommandFailure`` with the status 73.
    static func append(to path: String, _ client: ReconnectingClient) async throws -> Int {
        var number = 0
        if FileManager.default.fileExists(atPath: path) {
            let kept = try KeptCheckpoints(path: path)
            guard !kept.isCutOff else {
                throw EvidenceFault(.malformed, "the last line of \(path) has no end; remove the line")
            }
            number = try kept.checkpoints.last?.unverified().number ?? 0
            if number > 0 {
                let page = try await client.call(AuditCheckpoints.self, .init(after: number - 1, limit: 1)).checkpoints
                let own = try page.first.map { try Checkpoint(json: JSONEncoder().encode($0.envelope)) }
                guard own?.digest == kept.checkpoints.last?.digest else {
                    throw EvidenceFault(
                        .brokenChain,
                        "the trail does not contain the last checkpoint of \(path); run adminexport audit --verify --since \(path)"
                    )
                }
            }
        }
        let file = try open(path)
        defer { try? file.close() }
        var count = 0
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        while true {
            let page = try await client.call(AuditCheckpoints.self, .init(after: number, limit: 100)).checkpoints
            guard let last = page.last else { break }
            do {
                var lines = Data()
                for checkpoint in page { lines += try encoder.encode(checkpoint.envelope) + Data("\n".utf8) }
                try file.write(contentsOf: lines)
                try file.synchronize()
            } catch {
                throw CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: the disk may be full")
            }
            count += page.count
            number = last.number
        }
        return count
    }

    private static func open(_ path: String) throws -> FileHandle {
        // SAFETY: the system reads the path during the call.
        let descriptor = unsafe Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CommandFailure(
                status: .cannotCreate,
                message: "\(path) cannot be written: \(CommandFailure.reason(errno)); name another file")
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}
