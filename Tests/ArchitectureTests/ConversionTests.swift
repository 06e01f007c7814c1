import Testing

/// A number from outside must not end the process: `Int(_:)` of a `Double` traps if the value is NaN, infinite or too large.
@Suite struct ConversionTests {
    /// An integer's initializer without a label that defines the result for a value that does not fit.
    private static var trapping: Regex<Substring> {
        /\bU?Int(?:8|16|32|64)?\((?!saturating:|exactly:|clamping:|truncatingIfNeeded:|bitPattern:)/
    }
    /// A text that is certainly a floating-point expression. The linter does not know types.
    private static var floating: Regex<Substring> {
        /\.rounded\(|\bDouble\(|\bFloat\(|timeInterval|\b[0-9]+\.[0-9]+\b/
    }

    /// The arguments of each such initializer in a line, up to its closing parenthesis.
    static func arguments(in line: Substring) -> [Substring] {
        line.matches(of: trapping).map { match in
            var depth = 1
            let rest = line[match.range.upperBound...]
            let end = rest.firstIndex { character in
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
                return depth == 0
            }
            return rest[..<(end ?? rest.endIndex)]
        }
    }

    static func faults(in text: String) -> [Substring] {
        text.split(separator: "\n").filter { line in
            !line.drop { $0 == " " }.hasPrefix("//") && arguments(in: line).contains { $0.contains(floating) }
        }
    }

    @Test("No code converts a floating-point number to an integer with an initializer that traps")
    func sources() throws {
        var count = 0
        for folder in ["Sources", "Benchmarks/Sources", "Examples/Console/Sources"] {
            for file in try Repository.swiftFiles(in: folder) {
                count += 1
                for line in Self.faults(in: file.text) {
                    Issue.record("\(file.path): use Int(exactly:), or Int(saturating:) of CommandLine: \(line)")
                }
            }
        }
        #expect(count > 200)
    }

    @Test("The rule reports each forbidden conversion and no permitted one")
    func rule() {
        let found = [
            "return Int((date.timeIntervalSince1970 * 1_000_000).rounded())", "let a = Int(Double(text) ?? 0)",
            "x = UInt8(y * 1.5)",
            "f(Int64(share.rounded(.up)), 1)",
        ]
        let passed = [
            "Int(exactly: value.rounded())", "Int(saturating: seconds.rounded())", "Double(Int(text) ?? 0)",
            "Int(frame.size)",
            "Int(clamping: x) * Double(y)", "print(Int(a), b.rounded())", "// Int(a.rounded())", "Int64(bigEndian: bytes)",
        ]
        #expect(found.allSatisfy { Self.faults(in: $0).count == 1 } && passed.allSatisfy { Self.faults(in: $0).isEmpty })
    }
}
