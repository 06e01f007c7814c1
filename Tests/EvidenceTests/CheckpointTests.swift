import Foundation
import Testing

@testable import Evidence

@Suite struct CheckpointTests {
    private static let key = SigningKey()

    private static func predicate(
        _ number: Int, after last: Checkpoint?, from: String?, before: String, pruned: String? = nil,
        installation: String = "i"
    ) -> CheckpointPredicate {
        CheckpointPredicate(
            number: number, previous: last?.digest, from: from, before: before, events: number, sha256: "00",
            prunedBefore: pruned, signedAt: "", installation: installation, program: .init(name: "adminexport", version: "1")
        )
    }

    /// A chain of checkpoints for 1, 2, … hours.
    private static func checkpoints(_ count: Int, by key: SigningKey = key) throws -> [Checkpoint] {
        var checkpoints: [Checkpoint] = []
        for number in 1...count {
            checkpoints.append(
                try Checkpoint(
                    predicate(
                        number, after: checkpoints.last, from: number == 1 ? nil : "0\(number - 1)", before: "0\(number)"),
                    by: key))
        }
        return checkpoints
    }

    private static func fault(_ checkpoints: [Checkpoint], _ keys: [VerificationKey] = [key.verificationKey]) -> String? {
        var chain = CheckpointChain(keys)
        do throws(EvidenceFault) {
            for (index, checkpoint) in checkpoints.enumerated() { try chain.append(checkpoint, row: index + 1) }
            return chain.fault?.description
        } catch {
            return error.description
        }
    }

    @Test("A chain without one of its checkpoints, in another order or with a foreign one is refused with its place")
    func broken() throws {
        let whole = try Self.checkpoints(4)
        #expect(Self.fault(whole) == nil)
        for missing in 0..<3 {
            var rest = whole
            rest.remove(at: missing)
            #expect(Self.fault(rest)?.contains("checkpoint \(missing + 1) is missing") == true)
        }
        #expect(Self.fault([whole[0], whole[1], whole[1]])?.contains("checkpoint 2 occurs twice") == true)
        #expect(Self.fault([whole[0], whole[2], whole[1]])?.contains("checkpoint 2 is missing") == true)
        // Another history by the same key.
        let other =
            try Self.checkpoints(1) + [
                Checkpoint(Self.predicate(2, after: whole[2], from: "01", before: "02"), by: Self.key)
            ]
        #expect(Self.fault([whole[0], other[1]])?.contains("does not continue checkpoint 1") == true)
        // By another key, and by the same key after it was revoked.
        let stranger = SigningKey()
        #expect(Self.fault(try Self.checkpoints(2, by: stranger))?.contains("checkpoint 1 is not valid") == true)
        #expect(Self.fault(whole, [Self.key.verificationKey.with(.revoked)])?.contains("revoked") == true)
        #expect(Self.fault(whole, [Self.key.verificationKey.with(.retired)]) == nil)
    }

    @Test("A checkpoint must begin where the one before ends, and must not take back that events were removed")
    func gaps() throws {
        let first = try Checkpoint(
            Self.predicate(1, after: nil, from: nil, before: "31", pruned: "2026-01-01"), by: Self.key)
        let wrong: [CheckpointPredicate] = [
            Self.predicate(2, after: first, from: "32", before: "33", pruned: "2026-01-01"),
            Self.predicate(2, after: first, from: nil, before: "33", pruned: "2026-01-01"),
            Self.predicate(2, after: first, from: "31", before: "31", pruned: "2026-01-01"),
            Self.predicate(2, after: first, from: "31", before: "32"),
            Self.predicate(2, after: first, from: "31", before: "32", pruned: "2025-12-01"),
            Self.predicate(2, after: first, from: "31", before: "32", pruned: "2026-01-01", installation: "j"),
        ]
        for predicate in wrong {
            #expect(Self.fault([first, try Checkpoint(predicate, by: Self.key)])?.contains("does not begin where") == true)
        }
        let next = Self.predicate(2, after: first, from: "31", before: "32", pruned: "2026-02-01")
        #expect(Self.fault([first, try Checkpoint(next, by: Self.key)]) == nil)
    }

    @Test("A checkpoint that was kept elsewhere shows that the end of the chain was removed or replaced")
    func kept() throws {
        let whole = try Self.checkpoints(4)
        var chain = CheckpointChain([Self.key.verificationKey])
        for (index, checkpoint) in whole.prefix(3).enumerated() { try chain.append(checkpoint, row: index + 1) }
        for checkpoint in whole.prefix(3) { try chain.check(contains: checkpoint) }
        func fault(_ kept: Checkpoint) -> String? {
            do throws(EvidenceFault) {
                try chain.check(contains: kept)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(fault(whole[3])?.contains("ends with checkpoint 3, and checkpoint 4 was kept") == true)
        let replaced = try Checkpoint(Self.predicate(3, after: whole[1], from: "02", before: "04"), by: Self.key)
        #expect(fault(replaced)?.contains("checkpoint 3 of the trail is not the one that was kept") == true)
        #expect(fault(try Self.checkpoints(1, by: SigningKey())[0])?.contains("is not valid") == true)
        let elsewhere = try Checkpoint(
            Self.predicate(1, after: nil, from: nil, before: "01", installation: "j"), by: Self.key)
        #expect(fault(elsewhere)?.contains("another installation") == true)
    }

    @Test("A receipt is no checkpoint, and a checkpoint is no receipt")
    func kinds() throws {
        let checkpoint = try Self.checkpoints(1)[0]
        #expect(throws: EvidenceFault.self) {
            try Receipt(json: Data(checkpoint.envelope.json.utf8)).verify([Self.key.verificationKey])
        }
    }

    @Test("Events that differ in anything have different digests")
    func digest() {
        func digest(_ events: [String?]...) -> String {
            var digest = TrailDigest()
            for event in events { digest.add(event) }
            return digest.sha256
        }
        let all = [
            digest(), digest([]), digest([], []), digest([nil]), digest([""]), digest([nil, nil]), digest([nil], [nil]),
            digest(["-"]),
            digest(["a", "b"]), digest(["ab"]), digest(["a"], ["b"]), digest(["b"], ["a"]), digest(["a1:b"]), digest(["é"]),
            digest(["e\u{301}"]),
        ]
        #expect(Set(all).count == all.count)
        // As described: `1:a-2:é` and a line feed.
        #expect(digest(["a", nil, "é"]) == "503beb0d897390b4c94562239352ed9fc4bd22b240bfe0edfd3f7b6497d32352")
    }
}
