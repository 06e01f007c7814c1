private import Crypto
package import Foundation

/// What a checkpoint says about a part of the audit trail.
package struct CheckpointPredicate: Codable, Sendable, Hashable {
    /// The type of the predicate, which contains its version.
    package static let type = "urn:adminexport:audit-checkpoint:v1"

    /// The number of the checkpoint: 1 for the first.
    package let number: Int
    /// The SHA-256 of the statement of the checkpoint before, in hexadecimal; absent for the first.
    package let previous: String?
    /// The time from which the checkpoint covers events, inclusive: RFC 3339, UTC, in microseconds. Absent for the first, which covers
    /// all earlier events.
    package let from: String?
    /// The time before which the checkpoint covers events, exclusive, in the same form.
    package let before: String
    /// The number of events.
    package let events: Int
    /// The SHA-256 of the events, in hexadecimal; see ``TrailDigest``.
    package let sha256: String
    /// The day before which the owner has removed events: `yyyy-mm-dd`, UTC. Absent if none were removed.
    package let prunedBefore: String?
    /// When the worker signed, by its clock: RFC 3339, UTC.
    package let signedAt: String
    /// The id of the installation, which its database contains.
    package let installation: String
    /// The program that signed.
    package let program: ExportPredicate.Program

    /// A predicate with these members.
    package init(
        number: Int, previous: String?, from: String?, before: String, events: Int, sha256: String, prunedBefore: String?,
        signedAt: String, installation: String, program: ExportPredicate.Program
    ) {
        self.number = number
        self.previous = previous
        self.from = from
        self.before = before
        self.events = events
        self.sha256 = sha256
        self.prunedBefore = prunedBefore
        self.signedAt = signedAt
        self.installation = installation
        self.program = program
    }
}

/// A signed statement about a part of the audit trail. Each checkpoint names the one before, so that none can be changed or left out.
package struct Checkpoint: Sendable {
    /// The signed text.
    package let envelope: Envelope

    /// Signs a checkpoint.
    package init(_ predicate: CheckpointPredicate, by key: SigningKey) throws {
        envelope = try Statements.sign(
            Statement(
                subject: .init(name: "audit trail of adminexport", sha256: predicate.sha256),
                predicateType: CheckpointPredicate.type, predicate: predicate), by: key)
    }

    /// Reads a checkpoint, and verifies nothing yet.
    ///
    /// - Throws: ``EvidenceFault/Code/malformed``.
    package init(json: Data) throws(EvidenceFault) {
        envelope = try Envelope(json: json)
    }

    /// The SHA-256 of the statement, in hexadecimal: the link from the next checkpoint. The signature is not part of it.
    package var digest: String {
        SHA256.hash(data: (try? envelope.bytes()) ?? []).hexadecimal
    }

    /// What the checkpoint says, without a verification: for the program that continues its own chain.
    ///
    /// - Throws: ``EvidenceFault``.
    package func unverified() throws(EvidenceFault) -> CheckpointPredicate {
        try Statements.read(envelope, type: CheckpointPredicate.type, as: CheckpointPredicate.self).predicate
    }

    /// Verifies the signature.
    ///
    /// - Throws: ``EvidenceFault``.
    package func verify(_ keys: [VerificationKey]) throws(EvidenceFault) -> CheckpointPredicate {
        try Statements.verify(envelope, type: CheckpointPredicate.type, as: CheckpointPredicate.self, keys).statement
            .predicate
    }
}

/// The checkpoints of a trail, verified one after another.
package struct CheckpointChain: Sendable {
    /// A checkpoint whose signature and place in the chain are verified.
    package struct Link: Sendable {
        /// What the checkpoint says.
        package let predicate: CheckpointPredicate
        /// See ``Checkpoint/digest``.
        package let digest: String
        /// Whether the key is revoked. Such a checkpoint counts only because a later one names it.
        let isRevoked: Bool
    }

    /// The verified checkpoints, from the first.
    package private(set) var links: [Link] = []
    private let keys: [VerificationKey]

    /// An empty chain.
    package init(_ keys: [VerificationKey]) {
        self.keys = keys
    }

    /// What is wrong with the end of the chain; nil if nothing is. A key that signs no more may be revoked: the next checkpoint by another key
    /// fixes what its checkpoints say.
    package var fault: EvidenceFault? {
        guard let last = links.last, last.isRevoked else { return nil }
        return EvidenceFault(
            .revokedKey,
            "the newest checkpoint, \(last.predicate.number), is signed by a revoked key; workers with another key sign the next one"
        )
    }

    /// Adds the next checkpoint.
    ///
    /// - Parameter row: the number under which the table has it.
    /// - Throws: ``EvidenceFault`` that says where the chain is broken. The checkpoint is not added then.
    package mutating func append(_ checkpoint: Checkpoint, row: Int) throws(EvidenceFault) {
        let number = links.count + 1
        let predicate: CheckpointPredicate
        var isRevoked = false
        do {
            (predicate, isRevoked) = (try checkpoint.verify(keys), false)
        } catch {
            guard error.code == .revokedKey, let unverified = try? checkpoint.unverified() else {
                throw EvidenceFault(error.code, "checkpoint \(number) is not valid: \(error)")
            }
            (predicate, isRevoked) = (unverified, true)
        }
        let last = links.last
        guard row == predicate.number || row == number && predicate.number != number else {
            throw EvidenceFault(
                .brokenChain, "checkpoint \(predicate.number) has the number \(row) in the table, which was changed")
        }
        guard predicate.number == number else {
            throw EvidenceFault(
                .brokenChain,
                predicate.number > number
                    ? "checkpoint \(number) is missing: the next one is \(predicate.number), so checkpoints were removed"
                    : "checkpoint \(predicate.number) occurs twice")
        }
        guard predicate.previous == last?.digest else {
            throw EvidenceFault(
                .brokenChain, "checkpoint \(number) does not continue checkpoint \(number - 1), which was replaced")
        }
        guard predicate.from == last?.predicate.before, last.map({ $0.predicate.before < predicate.before }) ?? true,
            predicate.installation == last?.predicate.installation ?? predicate.installation,
            predicate.prunedBefore ?? "" >= last?.predicate.prunedBefore ?? "", Self.isPlausible(predicate)
        else {
            throw EvidenceFault(.brokenChain, "checkpoint \(number) does not begin where checkpoint \(number - 1) ends")
        }
        links.append(Link(predicate: predicate, digest: checkpoint.digest, isRevoked: isRevoked))
    }

    /// Whether only whole months are removed, which ended before the checkpoint was made.
    private static func isPlausible(_ predicate: CheckpointPredicate) -> Bool {
        guard let day = predicate.prunedBefore else { return true }
        return day.wholeMatch(of: /[0-9]{4}-[0-9]{2}-01/) != nil && day <= predicate.before
    }

    /// Checks that the chain contains a checkpoint that somebody has kept elsewhere.
    ///
    /// - Throws: ``EvidenceFault`` if the chain lacks it, or its signature is not valid.
    package func check(contains kept: Checkpoint) throws(EvidenceFault) {
        let predicate: CheckpointPredicate
        do {
            predicate = try kept.verify(keys)
        } catch {
            throw EvidenceFault(error.code, "a checkpoint that was kept is not valid: \(error)")
        }
        let number = predicate.number
        if let own = links.first, own.predicate.installation != predicate.installation {
            throw EvidenceFault(
                .brokenChain, "the checkpoint \(number) that was kept is of another installation (\(predicate.installation))"
            )
        }
        guard number <= links.count else {
            throw EvidenceFault(
                .brokenChain,
                "the trail ends with checkpoint \(links.count), and checkpoint \(number) was kept: checkpoints were removed, or the database was restored from an earlier backup"
            )
        }
        guard number > 0, links[number - 1].digest == kept.digest else {
            throw EvidenceFault(
                .brokenChain,
                "checkpoint \(number) of the trail is not the one that was kept: checkpoints were replaced, or the database was restored from an earlier backup"
            )
        }
    }
}

/// The SHA-256 of events of the audit trail, in the order of their times and numbers.
///
/// The digest is that of the bytes of all fields of all events. A field is its length in bytes in decimal digits, `:` and its bytes in UTF-8;
/// a field without a value is `-`. After the last field of an event there is a line feed. So two different sequences of events never give
/// the same bytes.
package struct TrailDigest {
    private var hash = SHA256()
    /// The number of events so far.
    package private(set) var events = 0

    /// The digest of no event.
    package init() {}

    /// Adds an event with its fields.
    package mutating func add(_ fields: [String?]) {
        var bytes: [UInt8] = []
        for field in fields {
            if let field {
                bytes += "\(field.utf8.count):".utf8
                bytes += field.utf8
            } else {
                bytes.append(UInt8(ascii: "-"))
            }
        }
        bytes.append(UInt8(ascii: "\n"))
        hash.update(data: bytes)
        events += 1
    }

    /// In hexadecimal.
    package var sha256: String {
        hash.finalize().hexadecimal
    }
}
