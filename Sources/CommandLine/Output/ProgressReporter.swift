internal import AdminExportAPI
internal import Foundation
private import Synchronization

/// Shows the progress of an export on standard error: a bar on a terminal, otherwise a line every five seconds.
final class ProgressReporter: Sendable {
    private static let lineInterval: Duration = .seconds(5)

    private let isQuiet: Bool
    private let isTerminal: Bool
    private let start = ContinuousClock.now
    private let state = Mutex(State())

    private struct State {
        var bar = ProgressBar()
        var lastState: Job.State?
        var lastLine: ContinuousClock.Instant?
        var hasBar = false
    }

    init(quiet: Bool) {
        isQuiet = quiet
        isTerminal = TerminalOutput.isTerminal(FileHandle.standardError.fileDescriptor)
    }

    func show(_ job: Job) {
        guard !isQuiet else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            state.bar.record(done: job.progress.rowsDone, at: start.duration(to: now))
            let label = Self.label(job)
            let columns = isTerminal ? TerminalOutput.columns(FileHandle.standardError.fileDescriptor) - 1 : 200
            let line = state.bar.line(label: label, total: job.progress.rowsTotal, columns: columns)
            if isTerminal {
                Output.diagnostic("\r\u{1B}[K\(line)")
                state.hasBar = true
            } else {
                let isDue = state.lastLine.map { now - $0 >= Self.lineInterval } ?? true
                guard state.lastState != job.state || isDue else { return }
                Output.diagnostic("\(line)\n")
                state.lastLine = now
            }
            state.lastState = job.state
        }
    }

    /// Prints a message on its own line. The next progress appears below it.
    func say(_ text: TerminalText) {
        state.withLock { state in
            Self.end(&state)
            Output.message(text)
        }
    }

    /// Ends the line of the bar.
    func end() {
        state.withLock { Self.end(&$0) }
    }

    private static func end(_ state: inout State) {
        if state.hasBar { Output.diagnostic("\n") }
        state.hasBar = false
    }

    private static func label(_ job: Job) -> TerminalText {
        if job.cancelRequested, !job.state.isFinal { return "Cancelling" }
        return switch job.state {
        case .queued:
            job.error.map { "Waiting to try again (\($0.kind))" } ?? job.queuePosition.map { "Queued as number \($0)" }
                ?? "Queued"
        case .running: "Exporting"
        case .succeeded: "Exported"
        case .failed: "Failed"
        case .cancelled: "Cancelled"
        case .expired: "Expired"
        }
    }
}
