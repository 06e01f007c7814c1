import AdminExportAPI
@testable import Daemon
import Foundation
import JSONRPC
import Testing

private let uuid = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"
private let actor = #""actor":{"tenant":"t","administrator":"a"}"#
private let sorted = #""actor":{"administrator":"a","tenant":"t"}"#
private let positional = "The parameters are an array. Send them by name, in a JSON object."
private let unknown = "rpc.discover lists the parameters of each method."

@Suite struct ParamsTests {
    /// The parameters as JSON with sorted members, or the parameter that is wrong and the message.
    private static func read<Called: AdminExportAPI.Method>(_ method: Called.Type, _ params: String?) throws -> String {
        do {
            let root = try params.map { try JSONDocument(scanning: Array($0.utf8)).root }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return String(decoding: try encoder.encode(WireCoding.params(method, root)), as: UTF8.self)
        } catch let error as RPCError {
            #expect(error.code == -32602)
            guard case ("param", .text(let param))? = error.details.first else { return error.message }
            return "\(param): \(error.message)"
        }
    }

    @Test(
        "The parameters of a job are read as sent, and the first that does not match the schema is named",
        arguments: [
            (#"{\#(actor),"job":"\#(uuid)"}"#, #"{\#(sorted),"job":"\#(uuid)"}"#),
            (#"{"job":"\#(uuid.uppercased())"}"#, #"{"job":"\#(uuid.uppercased())"}"#),
            (#"{"job":"\#(uuid)","actor":null}"#, #"{"job":"\#(uuid)"}"#),
            (#"{"job":"\#(uuid)","\u0061ctor":{"administrator":"\u0061","tenant":"t"}}"#, #"{\#(sorted),"job":"\#(uuid)"}"#),
            ("{}", "job: The parameter job is missing."), ("[]", ": \(positional)"), ("[1]", ": \(positional)"),
            (#"{"job":null}"#, "job: The parameter job must be a string."),
            (#"{"job":1}"#, "job: The parameter job must be a string."),
            (#"{"job":""}"#, "job: The parameter job must be a UUID that the service gave."),
            (#"{"job":"\#(uuid)0"}"#, "job: The parameter job must be a UUID that the service gave."),
            (#"{"job":"\#(uuid)","x":1}"#, "x: Unknown parameter x. \(unknown)"),
            (#"{"x":null}"#, "x: Unknown parameter x. \(unknown)"),
            (#"{"actor":{},"x":1}"#, "actor.tenant: The parameter actor.tenant is missing."),
            (#"{"actor":[]}"#, "actor: The parameter actor must be an object."),
            (#"{"actor":{"tenant":"t"}}"#, "actor.administrator: The parameter actor.administrator is missing."),
            (
                #"{"actor":{"tenant":null,"administrator":"a"}}"#,
                "actor.tenant: The parameter actor.tenant must be a string."
            ),
            (
                #"{"actor":{"tenant":"","administrator":"a"}}"#,
                "actor.tenant: The parameter actor.tenant must be a string of 1 to 320 characters."
            ),
            (
                #"{"actor":{"tenant":"\u0000","administrator":"a"}}"#,
                "actor.tenant: The parameter actor.tenant must be a string without NUL."
            ),
            (#"{"actor":{"tenant":"t","administrator":"a","id":1}}"#, "actor.id: Unknown parameter actor.id. \(unknown)"),
        ])
    func job(_ params: String, _ expected: String) throws {
        #expect(try Self.read(ExportGet.self, params) == expected)
    }

    @Test(
        "Integers are accepted in any notation within their range, sets without repetition, and null means absent",
        arguments: [
            (nil, "{}"), ("{}", "{}"), ("[]", "{}"),
            (#"{"limit":1e1,"states":[],"tenant":null}"#, #"{"limit":10,"states":[]}"#),
            (#"{"limit":5.0,"states":["queued","running"]}"#, #"{"limit":5,"states":["queued","running"]}"#),
            (#"{"limit":0}"#, "limit: The parameter limit must be an integer from 1 to 100."),
            (#"{"limit":1.5}"#, "limit: The parameter limit must be an integer from 1 to 100."),
            (#"{"limit":"5"}"#, "limit: The parameter limit must be an integer from 1 to 100."),
            (#"{"states":{}}"#, "states: The parameter states must be an array."),
            (#"{"states":[null]}"#, "states.0: The parameter states.0 must be a string."),
            (
                #"{"states":["queued","QUEUED"]}"#,
                "states.1: The parameter states.1 must be one of queued, running, succeeded, failed, cancelled, expired."
            ),
            (
                #"{"states":["queued","running","queued"]}"#,
                "states.2: The parameter states.2 must be an element that does not repeat an earlier one."
            ),
            (
                #"{"states":["queued","running","succeeded","failed","cancelled","expired","queued"]}"#,
                "states: The parameter states must be an array of up to 6 elements."
            ),
        ])
    func list(_ params: String?, _ expected: String) throws {
        #expect(try Self.read(ExportList.self, params) == expected)
    }

    @Test("A boolean is only true or false, and a large integer is exact")
    func others() throws {
        #expect(
            try Self.read(ExportStart.self, #"{\#(actor),"includeDisabled":true,"includeReferences":false}"#)
                == #"{\#(sorted),"includeDisabled":true,"includeReferences":false}"#)
        #expect(
            try Self.read(ExportStart.self, #"{\#(actor),"includeDisabled":1}"#)
                == "includeDisabled: The parameter includeDisabled must be true or false.")
        #expect(
            try Self.read(ExportWait.self, #"{"job":"\#(uuid)","afterRevision":9007199254740991}"#)
                == #"{"afterRevision":9007199254740991,"job":"\#(uuid)"}"#)
        #expect(
            try Self.read(ExportWait.self, #"{"job":"\#(uuid)","afterRevision":-1}"#)
                == "afterRevision: The parameter afterRevision must be an integer from 0 on, below 2^53.")
        #expect(try Self.read(ExportUnwatch.self, #"{"subscription":"e\u0301"}"#) == #"{"subscription":"e\#u{301}"}"#)
    }

    @Test("A value of another type than the wire type's is an error")
    func otherTypes() {
        func expectError<Value: Decodable>(_ value: JSONValue, _ type: Value.Type) {
            #expect(throws: DecodingError.self) { _ = try ValueDecoder(value: value).decode(type) }
        }
        for value: JSONValue in [
            .integer(1), .string("1"), .boolean(true), .null, .array([.integer(1)]), .object(["a": .null]),
        ] {
            expectError(value, Double.self)
            expectError(value, Int64.self)
            if value != .integer(1) { expectError(value, Int.self) }
            if value != .string("1") { expectError(value, String.self) }
            if value != .boolean(true) { expectError(value, Bool.self) }
            if value != .array([.integer(1)]) { expectError(value, [Int].self) }
            expectError(value, [String: String].self)
        }
    }
}
