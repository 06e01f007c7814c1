private import Foundation
import Testing

/// Holds the command line to its one place of output, which escapes what comes from elsewhere.
@Suite struct OutputTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Ways around it. A descriptor's number is none: nothing is written with it.
    private static let ways = [
        "print(", "debugPrint(", "dump(", "putchar(", "puts(", "fputs(", "fputc(", "fwrite(", "fprintf(", "printf(",
        "vprintf(", "perror(", "NSLog(",
        "standardOutput.write", "standardError.write", "FileHandle.standardOutput\n", "TextOutputStream", "stdout,",
        "stdout)", "stderr,", "stderr)",
        "/dev/stdout", "/dev/stderr", "/dev/tty", "STDOUT_FILENO", "STDERR_FILENO", "write(1,", "write(2,",
    ]

    @Test("Nothing of the command line writes to standard output or error but Output.swift")
    func onePlace() throws {
        var count = 0
        for module in ["CommandLine", "AdminExportClient", "adminexport"] {
            let folder = Self.root.appending(path: "Sources/\(module)")
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift", file.lastPathComponent != "Output.swift" else { continue }
                count += 1
                let text = try String(contentsOf: file, encoding: .utf8)
                for way in Self.ways where text.contains(way) {
                    // `snprintf(` ends with `printf(`, and `fingerprint(` with `print(`.
                    let found = text.ranges(of: way).contains { range in
                        range.lowerBound == text.startIndex || !text[text.index(before: range.lowerBound)].isLetter
                    }
                    #expect(!found, "\(file.lastPathComponent) has \(way)")
                }
            }
        }
        #expect(count > 45)
    }

    @Test("No text is made to pass for a literal")
    func literals() throws {
        let text = try String(
            contentsOf: Self.root.appending(path: "Sources/CommandLine/Terminal/TerminalText.swift"), encoding: .utf8)
        #expect(text.contains("private init(trusted string: String)"), "whoever has a String could print it raw")
        #expect(text.contains("init(stringLiteral value: StaticString)"), "a String could pass for a literal")
    }
}
