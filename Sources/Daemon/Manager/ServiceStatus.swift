private import Synchronization

/// What the process does now, in a line for people (`systemctl status`).
final class ServiceStatus: Sendable {
    private let figures: @Sendable () -> [String]
    private let state = Mutex((isStopping: false, fault: String?.none, waiting: String?.none))
    private let doing: String

    /// - Parameters:
    ///   - doing: the first word.
    ///   - figures: what follows it.
    init(_ doing: String, figures: @escaping @Sendable () -> [String]) {
        self.doing = doing
        self.figures = figures
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    func stop() {
        state.withLock { $0.isStopping = true }
    }

    /// A configuration was not taken.
    func configurationFault(_ fault: String) {
        state.withLock { $0.fault = fault }
    }

    /// One was.
    ///
    /// - Parameter keys: those that have changed and take a restart.
    func configurationTaken(restartFor keys: String?) {
        state.withLock { $0 = ($0.isStopping, nil, keys) }
    }

    var text: String {
        let (isStopping, fault, waiting) = state.withLock { $0 }
        var text = ([isStopping ? "Stopping" : doing] + figures()).joined(separator: ", ")
        if let waiting { text += ". A restart is needed for what has changed: \(waiting)" }
        if let fault { text += ". The configuration that is there was not taken: \(fault)" }
        return text
    }

    /// `1 connection`, `2 connections`.
    static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }
}
