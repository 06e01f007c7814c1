private import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Evidence
private import Foundation

/// The exit status of the process, after sysexits.h.
enum ExitStatus: Int32 {
    case failed = 1
    case cancelled = 2
    case usage = 64
    case unavailable = 69
    case cannotCreate = 73
    case tryAgain = 75
    case denied = 77
    case interrupted = 130

    init(_ error: ClientError) {
        self =
            switch error.code {
            case .unreachable, .protocolViolation: .unavailable
            case .socketDenied: .denied
            case .connectionLost, .timedOut, .descriptorLost: .tryAgain
            case .service(_, let kind): ExitStatus(ErrorKind(rawValue: kind), isRetryable: error.isRetryable)
            }
    }

    private init(_ kind: ErrorKind?, isRetryable: Bool) {
        self =
            switch kind {
            case .permissionDenied: .denied
            case .invalidParams: .usage
            case .quotaExceeded, .unavailable: .tryAgain
            default: isRetryable ? .tryAgain : .failed
            }
    }
}

/// A failure of the command: what happened, why, what to do, and the exit status.
struct CommandFailure: Error {
    let status: ExitStatus
    let message: TerminalText

    /// The system's text for an error number.
    static func reason(_ code: Int32) -> String {
        // SAFETY: the text is copied before the next call.
        unsafe String(cString: strerror(code))
    }
}

/// Runs a command's body. An error becomes a line on standard error and an exit status.
func reportingFailures(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let failure as CommandFailure {
        Output.message(failure.message)
        throw ExitCode(failure.status.rawValue)
    } catch let fault as EvidenceFault {
        Output.message("not verified: \(fault)")
        throw ExitCode(ExitStatus.failed.rawValue)
    } catch let error as ClientError {
        Output.message("\(error.message)")
        throw ExitCode(ExitStatus(error).rawValue)
    }
}
