import Foundation
import AdminExportAPI
import Testing

@testable import JSONRPC

@Suite struct ErrorKindTests {
    @Test(
        "The errors of the JSON-RPC layer have the kinds and codes of the protocol",
        arguments: [
            RPCError.invalidRequest(""), .lineTooLong(limit: 1), .methodNotFound(""), .invalidParams("", ""), .internalError,
            .shuttingDown, .overloaded, .cancelled, .parse(JSONFault(offset: 0, reason: "")),
            .invalidRequest("", kind: "duplicate-id"),
        ])
    func kinds(_ error: RPCError) throws {
        let kind = try #require(ErrorKind(rawValue: error.kind))
        #expect(kind.code == error.code)
        #expect(ErrorKind.general.contains(kind))
    }

    @Test("A long name that a caller sends does not make the error message long")
    func excerpt() {
        let long = String(repeating: "e\u{301}\u{301}", count: 100_000)
        #expect(RPCError.methodNotFound(long).message.unicodeScalars.count < 200)
        let param = RPCError.invalidParams(long, "x").details.first { $0.name == "param" }
        guard case .text(let text)? = param?.value else {
            Issue.record("no param")
            return
        }
        #expect(text.unicodeScalars.count < 200)
    }

    @Test("No text of the description has two spaces in a row, which a lost end of a line leaves")
    func spaces() throws {
        let document = String(decoding: try JSONEncoder().encode(OpenRPC.document(version: "1")), as: UTF8.self)
        #expect(!document.contains("  "))
    }
}
