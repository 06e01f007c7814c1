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
        /// The time before which the owner has removed events, as a worker has signed.
        var removedBefore: String?
        /// The number of events that no checkpoint covers yet; nil if there are very many.
        var eventsSince: Int?
        /// The number of kept checkpoints that the trail contains.
        var kept: Int?
        /// What is wrong, in words.
        var faults: [String] = []

        private enum CodingKeys: String, CodingKey {
            case checkpoints, isVerified, events, coveredBefore, removedBefore, eventsSince, kept, faults
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(checkpoints, forKey: .checkpoints)
            try container.encode(isVerified, forKey: .isVerified)
            try container.encode(events, forKey: .events)
            try container.encodeIfPresent(coveredBefore, forKey: .coveredBefore)
            try container.encodeIfPresent(removedBefore, forKey: .removedBefore)
            try container.encodeIfPresent(eventsSince, forKey: .eventsSince)
            try container.encodeIfPresent(kept, forKey: .kept)
            try container.encode(faults, forKey: .faults)
        }
    }

    /// How old the newest checkpoint may be, in seconds. Workers make one every hour.
    private static let maxAge = 3 * 3_600.0

    /// Reads all checkpoints and all events that they cover.
    ///
    /// - Throws: ``ClientError``; ``EvidenceFault`` if the file of kept checkpoints cannot be read.
    func run() async throws -> Report {
        let kept = try since.map { try KeptCheckpoints(path: $0).checkpoints }
        guard kept?.isEmpty != true else {
            throw EvidenceFault(.malformed, "\(since ?? "") contains no checkpoint; get a copy that is complete")
        }
        var report = Report()
        var chain = try await chain(&report)
        if let fault = chain.fault { report.faults.append(fault.description) }
        if chain.links.isEmpty, report.faults.isEmpty {
            report.faults.append(
                "the trail has no checkpoint: no worker has a signing key, or somebody removed the checkpoints; run adminexportd make-key, or compare with a copy (--since)"
            )
        }
        if let last = chain.links.last?.predicate, let end = EvidenceTime.microseconds(exact: last.before),
            Date(timeIntervalSince1970: Double(end) / 1_000_000).timeIntervalSinceNow < -Self.maxAge
        {
            report.faults.append(
                "the newest checkpoint ends at \(last.before), more than three hours ago; check that a worker with the signing key runs, and read its log"
            )
        }
        if let kept { compare(chain, with: kept, &report) }
        try await compareEvents(&chain, &report)
        report.checkpoints = chain.links.count
        report.coveredBefore = chain.links.last?.predicate.before
        let rest = try await client.call(AuditDigest.self, .init(from: report.coveredBefore))
        report.eventsSince = rest.isComplete ? rest.events : nil
        let tomorrow = RFC3339.text(
            microseconds: Int64(exactly: (Date(timeIntervalSinceNow: 86_400).timeIntervalSince1970 * 1_000_000).rounded())
                ?? 0)
        if try await client.call(AuditDigest.self, .init(from: tomorrow)).events > 0 {
            report.faults.append("events were added with times in the future, which no checkpoint covers")
        }
        return report
    }

    private func compare(_ chain: CheckpointChain, with kept: [Checkpoint], _ report: inout Report) {
        report.kept = 0
        let isBroken = !report.faults.isEmpty
        for checkpoint in kept {
            do throws(EvidenceFault) {
                // Nothing is known about what comes after a break.
                if isBroken, try checkpoint.unverified().number > chain.links.count { continue }
                try chain.check(contains: checkpoint)
                report.kept = (report.kept ?? 0) + 1
            } catch {
                report.faults.append(error.description)
            }
        }
    }

    /// The chain up to its end, or up to its first fault.
    private func chain(_ report: inout Report) async throws -> CheckpointChain {
        var chain = CheckpointChain(keys)
        do {
            try await extend(&chain)
        } catch let fault as EvidenceFault {
            report.faults.append(fault.description)
        }
        return chain
    }

    /// Adds the checkpoints that follow.
    private func extend(_ chain: inout CheckpointChain) async throws {
        let limit = 100
        while true {
            let page = try await client.call(AuditCheckpoints.self, .init(after: chain.links.count, limit: limit))
                .checkpoints
            for checkpoint in page {
                let number = chain.links.count + 1
                let read: Checkpoint
                do {
                    read = try Checkpoint(json: Data(checkpoint.envelope.utf8))
                } catch {
                    throw EvidenceFault(error.code, "checkpoint \(number) is not valid: \(error)")
                }
                try chain.append(read, row: checkpoint.number)
            }
            if page.count < limit { return }
        }
    }

    /// How often the events are compared if there are faults: the owner may be removing months at this moment.
    private static let maxComparisons = 3

    /// Compares the events with the digests of all checkpoints.
    private func compareEvents(_ chain: inout CheckpointChain, _ report: inout Report) async throws {
        for comparison in 1...Self.maxComparisons {
            let faults = try await compareOnce(chain, &report)
            let isLast = comparison > 1 && chain.links.last?.predicate.prunedBefore == nil
            if faults.isEmpty || isLast || comparison == Self.maxComparisons {
                report.faults += faults
                return
            }
            // A fault of the chain is in the report already, or is found by the next run.
            try? await extend(&chain)
        }
    }

    /// - Returns: what differs.
    private func compareOnce(_ chain: CheckpointChain, _ report: inout Report) async throws -> [String] {
        var faults: [String] = []
        (report.events, report.removedBefore) = (0, nil)
        for predicate in chain.links.map(\.predicate) {
            let now = try await client.call(AuditDigest.self, .init(from: predicate.from, before: predicate.before))
            if !isAsSigned(now, predicate, chain, hasEvents: report.events > 0) {
                faults.append(Self.difference(now, predicate))
            }
            if now.events == 0, predicate.events > 0 { report.removedBefore = predicate.before }
            report.events += now.events
        }
        return faults
    }

    /// Whether the events are those of the checkpoint. Months are removed from the beginning, so after a period with events, none may be empty.
    private func isAsSigned(
        _ now: AuditDigest.Result, _ predicate: CheckpointPredicate, _ chain: CheckpointChain, hasEvents: Bool
    ) -> Bool {
        if now.isComplete, now.sha256 == predicate.sha256 { return true }
        guard let pruned = chain.links.last?.predicate.prunedBefore else { return false }
        return now.isComplete && now.events == 0 && !hasEvents && predicate.before <= "\(pruned)T00:00:00.000000Z"
    }

    private static func difference(_ now: AuditDigest.Result, _ predicate: CheckpointPredicate) -> String {
        let period = "from \(predicate.from ?? "the beginning") to \(predicate.before) (checkpoint \(predicate.number))"
        let difference = now.events - predicate.events
        if !now.isComplete || difference > 0 {
            let count = now.isComplete ? "\(now.events)" : "more than \(now.events)"
            return "events were added \(period): \(count) instead of \(predicate.events)"
        }
        return difference < 0
            ? "events were removed \(period): \(now.events) instead of \(predicate.events)" : "events were changed \(period)"
    }
}

extension TrailVerification.Report {
    /// The report in words, if everything is verified.
    var text: TerminalText {
        var lines: [TerminalText] = [
            "Verified: the covered events of the audit trail are those that the workers have signed in \(ProgressBar.grouped(checkpoints)) checkpoints."
        ]
        func add(_ label: TerminalText, _ value: String) { lines.append((label + ":").padded(to: 15) + "\(value)") }
        lines.append("")
        add("Events", ProgressBar.grouped(events))
        add("Covered", "before \(coveredBefore ?? "")")
        if let removedBefore {
            add("Removed", "the events before \(removedBefore), by adminexportd prune, which a worker has signed")
        }
        add(
            "Not covered",
            (eventsSince.map { "\(ProgressBar.grouped($0)) events" }
                ?? "more than \(ProgressBar.grouped(AuditDigest.maxEvents)) events")
                + " since then; the next checkpoint covers them")
        add(
            "Copy outside",
            kept.map { "\(ProgressBar.grouped($0)) checkpoints, all in the trail" }
                ?? "none; without --since, the command cannot detect that the newest checkpoints were removed")
        return lines.joined(separator: "\n")
    }
}

/// A file of checkpoints, each on a line as JSON.
struct KeptCheckpoints {
    private static let maxBytes = 256 << 20

    /// The checkpoints in the order of the file.
    let checkpoints: [Checkpoint]
    /// Whether the last line has no end.
    let isCutOff: Bool

    /// Reads a file.
    ///
    /// - Throws: ``EvidenceFault`` if it cannot be read, or contains anything else.
    init(path: String) throws(EvidenceFault) {
        let bytes: [UInt8]?
        do throws(InputFile.Unreadable) {
            var file = try InputFile(path, .regularOrPipe)
            bytes = try file.contents(maxBytes: Self.maxBytes)
        } catch {
            throw EvidenceFault(.malformed, "the file of checkpoints \(path) cannot be read: \(error.reason)")
        }
        guard let bytes else {
            throw EvidenceFault(.malformed, "\(path) is too long; the newest checkpoints are enough, so keep the last lines")
        }
        let data = Data(bytes)
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
                throw EvidenceFault(.malformed, "the last line of \(path) is incomplete; remove it")
            }
            number = try kept.checkpoints.last?.unverified().number ?? 0
            if number > 0 {
                let page = try await client.call(AuditCheckpoints.self, .init(after: number - 1, limit: 1)).checkpoints
                let own = try page.first.map { try Checkpoint(json: Data($0.envelope.utf8)) }
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
        while true {
            let page = try await client.call(AuditCheckpoints.self, .init(after: number, limit: 100)).checkpoints
            guard let last = page.last else { break }
            do {
                var lines = Data()
                for checkpoint in page {
                    // One line each, and nothing that is no checkpoint.
                    lines += Data(try Checkpoint(json: Data(checkpoint.envelope.utf8)).envelope.json.utf8) + Data("\n".utf8)
                }
                try file.write(contentsOf: lines)
                try file.synchronize()
            } catch let fault as EvidenceFault {
                throw EvidenceFault(
                    fault.code, "a checkpoint of the trail was changed: \(fault); run adminexport audit --verify")
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
