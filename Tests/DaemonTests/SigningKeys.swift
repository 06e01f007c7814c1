import Evidence
import Foundation
import Testing

/// A folder with the keys that `make-key` has made.
struct SigningKeys {
    let folder: String

    var credentials: String { folder + "/credentials" }
    var publicKeys: String { folder + "/public" }

    /// The environment of a process that signs.
    var environment: [String: String] {
        ["CREDENTIALS_DIRECTORY": credentials, "ADMINEXPORT_SIGNING_PUBLIC_KEYS": publicKeys]
    }

    static func with(_ body: (SigningKeys) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let keys = SigningKeys(folder: folder)
            let made = try await keys.make()
            try #require(made.status == 0, "\(made.errors)")
            try await body(keys)
        }
    }

    func make(_ options: String...) async throws -> Finished {
        try await Programs.run(
            "adminexportd", ["make-key", "--private", credentials + "/signing-key", "--public", publicKeys] + options)
    }

    /// The paths of the public keys.
    func files() throws -> [String] { try KeyFolder(publicKeys).load().map(\.path) }

    func setStatus(_ status: VerificationKey.Status, of path: String) throws {
        try KeyFolder.key(path).with(status).file.write(toFile: path, atomically: true, encoding: .utf8)
    }
}

extension ServiceProcess {
    /// Runs the body with a service that signs receipts.
    static func withKeys(
        environment: [String: String] = [:], _ body: (ServiceProcess, SigningKeys) async throws -> Void
    ) async throws {
        try await SigningKeys.with { keys in
            try await with(environment: environment.merging(keys.environment) { $1 }) { try await body($0, keys) }
        }
    }
}
