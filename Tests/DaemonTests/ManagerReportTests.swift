@testable import Daemon
import NIOCore
import NIOPosix
@testable import Systemd
import TestSupport
import Testing

/// The messages for the watchdog, and the conditions under which none is sent.
@Suite(.timeLimit(.minutes(10))) struct ManagerReportTests {
    private static let watchdog: Duration = .milliseconds(90)

    /// Runs a report while the body runs.
    private func reporting(
        loop: (any EventLoop)?, sinceProgress: @escaping @Sendable () -> Duration?,
        _ body: (DatagramReceiver, ServiceStatus) async throws -> Void
    ) async throws {
        let receiver = DatagramReceiver()
        let status = ServiceStatus("Working") { [ServiceStatus.count(1, "export")] }
        let report = ManagerReport(
            manager: ServiceManager(socket: receiver.path, watchdog: Self.watchdog), status: status, loop: loop,
            sinceProgress: sinceProgress)
        let task = Task { try await report.run() }
        defer { task.cancel() }
        try await body(receiver, status)
    }

    /// The messages up to the one with the text, for at most a number of watchdog periods.
    private func messages(_ receiver: DatagramReceiver, until text: String, periods: Int) async -> [String] {
        var all: [String] = []
        let end = ContinuousClock.now + Self.watchdog * periods
        while ContinuousClock.now < end {
            guard let message = await receiver.text(within: 50) else { continue }
            all.append(message)
            if message.contains(text) { break }
        }
        return all
    }

    @Test("A process that works reports its status and that it is alive; a process that stops asks for more time")
    func works() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await reporting(loop: group.next(), sinceProgress: { .seconds(59) }) { receiver, status in
            #expect(await messages(receiver, until: "WATCHDOG=1", periods: 200).contains("WATCHDOG=1"))
            #expect(
                await messages(receiver, until: "STATUS=Working, 1 export", periods: 200).last == "STATUS=Working, 1 export")
            _ = await messages(receiver, until: "WATCHDOG=1", periods: 200)
            status.configurationRefused("line 3: a fault")
            let told = await messages(receiver, until: "STATUS=", periods: 200)
            #expect(told.last == "STATUS=Working, 1 export. Refused the new configuration: line 3: a fault")
            status.stop()
            #expect(
                await messages(receiver, until: "EXTEND_TIMEOUT_USEC=", periods: 200).last == "EXTEND_TIMEOUT_USEC=15000000")
        }
        try await group.shutdownGracefully()
    }

    @Test("If the claim loop makes no progress for 61 seconds, no watchdog message is sent")
    func stands() async throws {
        try await reporting(loop: nil, sinceProgress: { .seconds(61) }) { receiver, _ in
            // The status is still sent, because it is for people.
            var told = await messages(receiver, until: "STATUS=", periods: 200)
            #expect(!told.isEmpty)
            told += await messages(receiver, until: "WATCHDOG", periods: 10)
            #expect(!told.contains { $0.contains("WATCHDOG") })
        }
    }

    @Test("While an event loop is blocked, no watchdog message is sent")
    func held() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let gate = LockedGate()
        loop.execute { gate.wait() }
        try await reporting(loop: loop, sinceProgress: { nil }) { receiver, _ in
            #expect(await messages(receiver, until: "WATCHDOG", periods: 10).isEmpty)
            gate.open()
            #expect(await messages(receiver, until: "WATCHDOG=1", periods: 200).contains("WATCHDOG=1"))
        }
        try await group.shutdownGracefully()
    }
}
