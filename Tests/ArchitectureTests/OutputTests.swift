import Testing

/// Checks that the command line prints only through `Output`, which escapes values from outside.
@Suite struct OutputTests {
    /// Texts of calls that bypass `Output`. A descriptor's number is not among them: it alone writes nothing.
    private static let ways = [
        "print(", "debugPrint(", "dump(", "putchar(", "puts(", "fputs(", "fputc(", "fwrite(", "fprintf(", "printf(",
        "vprintf(", "perror(", "NSLog(",
        "standardOutput.write", "standardError.write", "FileHandle.standardOutput\n", "TextOutputStream", "stdout,",
        "stdout)", "stderr,", "stderr)",
        "/dev/stdout", "/dev/stderr", "/dev/tty", "STDOUT_FILENO", "STDERR_FILENO", "write(1,", "write(2,",
    ]

    @Test("The command line writes to standard output and standard error only in Output.swift")
    func onePlace() throws {
        var count = 0
        for module in ["CommandLine", "AdminExportClient", "adminexport"] {
            for file in try Repository.swiftFiles(in: "Sources/\(module)") where !file.path.hasSuffix("/Output.swift") {
                count += 1
                for way in Self.ways {
                    // `snprintf(` ends with `printf(`, and `fingerprint(` with `print(`.
                    let found = file.text.ranges(of: way).contains { range in
                        range.lowerBound == file.text.startIndex
                            || !file.text[file.text.index(before: range.lowerBound)].isLetter
                    }
                    #expect(!found, "\(file.path) has \(way)")
                }
            }
        }
        #expect(count > 25)
    }

    @Test("TerminalText can be made only from literals and from escaped values")
    func literals() throws {
        let text = try Repository.text(of: "Sources/CommandLine/Terminal/TerminalText.swift")
        #expect(text.contains("private init(trusted string: String)"), "code with a String could print it raw")
        #expect(text.contains("init(stringLiteral value: StaticString)"), "a String could be used as a literal")
    }
}
