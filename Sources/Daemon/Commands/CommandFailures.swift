internal import ArgumentParser
private import Exports
private import Foundation
private import Postgres

/// Runs a command's body; every error becomes one line on standard error and an exit status.
func reportingFaults(_ body: () async throws -> Void) async throws {
    // A reader of standard error or of a socket may close it; that must not end the process.
    signal(SIGPIPE, SIG_IGN)
    do {
        try await body()
    } catch let error as ConfigurationFault {
        fail("\(error)", ConfigurationFault.exitStatus)
    } catch let error as SchemaError {
        fail("\(error)", error == .tablesInUse ? 69 : ConfigurationFault.exitStatus)
    } catch let error as PostgresError {
        switch error.code {
        case _ where error.sqlState == SQLState.tooManyConnections:
            fail(
                "the database has no connection left for this login: \(error.message). \(DatabaseCheck.connectionsHint)", 69)
        case .statement where error.isTransient:
            fail("the database does not answer now: \(error.debugDescription)", 69)
        case .refused, .invalidConnectionString:
            fail(
                "the database refused the connection: \(error.message)\(DatabaseCheck.hint(error))",
                ConfigurationFault.exitStatus)
        case .unsuitable:
            fail("the database cannot be used: \(error.message)", ConfigurationFault.exitStatus)
        case .unreachable, .connectionLost, .timedOut, .poolExhausted:
            fail("the database cannot be reached: \(error.message)", 69)
        case .statement, .unexpectedResult:
            fail("the database cannot be used: \(error.debugDescription)", 1)
        }
    }
}

private func fail(_ message: String, _ status: Int32) -> Never {
    ServiceLog.fatal(message)
    exit(status)
}
