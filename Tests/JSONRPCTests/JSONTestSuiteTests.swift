import Foundation
import JSONRPC
import Testing

private let suiteFolder = ProcessInfo.processInfo.environment["JSON_TEST_SUITE"]

/// The public suite of JSON texts (github.com/nst/JSONTestSuite). A parser must refuse texts with the prefix `n_`, must accept
/// `y_`, and may do either with `i_`.
///
/// The suite is not part of this repository. `JSON_TEST_SUITE` is the path of its folder `test_parsing`.
@Suite(.enabled(if: suiteFolder != nil, "JSON_TEST_SUITE names the folder of the suite"))
struct JSONTestSuiteTests {
    /// Texts that JSON allows and our stricter rules refuse.
    private static let stricter = [
        "y_object_duplicated_key.json": "the same name twice",
        "y_object_duplicated_key_and_value.json": "the same name twice",
    ]

    /// The texts with the prefix `i_` that our parser accepts.
    private static let taken: Set = [
        "i_number_double_huge_neg_exp.json", "i_number_real_underflow.json",
    ]

    @Test("The parser refuses all invalid texts, and accepts all valid ones except those that break our stricter rules")
    func suite() throws {
        let folder = try #require(suiteFolder)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }.sorted()
        #expect(files.count > 300)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\(file)")))
            var fault: JSONFault?
            do {
                _ = try JSONDocument(scanning: bytes)
            } catch let error {
                fault = error
            }
            switch file.prefix(2) {
            case "n_": #expect(fault != nil, "\(file) was taken")
            case "y_":
                if let rule = Self.stricter[file] {
                    #expect(fault?.reason.contains(rule) == true, "\(file)")
                } else {
                    #expect(fault == nil, "\(file): \(fault.map(\.description) ?? "")")
                }
            default:
                print("\(file): \(fault.map { "refused, \($0)" } ?? "taken")")
                #expect((fault == nil) == Self.taken.contains(file), "\(file): \(fault.map(\.description) ?? "taken")")
            }
        }
    }
}
