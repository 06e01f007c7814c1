import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite struct JournalTests {
    @Test("A value with a line end is written with its length, any other value as a line")
    func encoding() {
        let bytes = Journal.encode([("MESSAGE", "two\nlines"), ("PRIORITY", "3"), ("EMPTY", "")])
        let expected: [UInt8] =
            Array("MESSAGE\n".utf8) + [9, 0, 0, 0, 0, 0, 0, 0] + Array("two\nlines\nPRIORITY=3\nEMPTY=\n".utf8)
        #expect(bytes == expected)
    }

    @Test(
        "A name that the journal would refuse is left out",
        arguments: [
            "", "lower", "_UID", "1ST", "WITH-DASH", "WITH SPACE", "ÄRGER", String(repeating: "A", count: 65), "A=B", "A\nB",
        ])
    func names(_ name: String) {
        #expect(Journal.encode([(name, "x"), ("OK_1", "y")]) == Array("OK_1=y\n".utf8))
    }

    @Test("An entry with very long values arrives, with its values cut")
    func bounds() throws {
        let receiver = DatagramReceiver()
        let journal = Journal(socket: receiver.path)
        let long = String(repeating: "ä", count: 1_000_000)
        #expect(journal.send([("MESSAGE", long), ("ADMINEXPORT_ERROR", long + "\n")]))
        let bytes = try #require(receiver.receive())
        #expect(bytes.count == "MESSAGE=\n".utf8.count + "ADMINEXPORT_ERROR=\n".utf8.count + 2 * Journal.longestValue)
    }

    @Test("Sending to a journal that does not exist reports failure")
    func gone() {
        #expect(!Journal(socket: "/nonexistent/journal").send([("MESSAGE", "x")]))
    }

    @Test("Standard error belongs to the journal only if JOURNAL_STREAM names its device and inode")
    func stream() {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        defer { ends.forEach { close($0) } }
        var status = stat()
        fstat(ends[1], &status)
        let right = "\(status.st_dev):\(status.st_ino)"
        #expect(Journal.isStream(ends[1], of: ["JOURNAL_STREAM": right]))
        for wrong in ["\(status.st_dev):\(status.st_ino + 1)", "", ":", "x:y", "\(status.st_dev)", right + ":1"] {
            #expect(!Journal.isStream(ends[1], of: ["JOURNAL_STREAM": wrong]), "\(wrong)")
        }
        #expect(!Journal.isStream(ends[1], of: [:]))
    }
}
