@testable import Exports
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct SingleFlightTests {
    /// An operation that hangs until it is opened.
    private actor Gate {
        private var waiter: CheckedContinuation<Void, Never>?
        private(set) var calls = 0

        func wait() async {
            calls += 1
            await withCheckedContinuation { waiter = $0 }
        }

        func open() -> Bool {
            defer { waiter = nil }
            waiter?.resume()
            return waiter != nil
        }
    }

    @Test("Each caller waits until its timeout; an operation that hangs runs once, and the next one runs after its end")
    func timeout() async throws {
        let flight = SingleFlight<Void>()
        let gate = Gate()
        for _ in 0..<3 {
            await #expect(throws: SingleFlightTimeout.self) {
                try await flight.run(timeout: .milliseconds(5)) { await gate.wait() }
            }
        }
        #expect(await gate.calls == 1)
        while await !gate.open() { await Task.yield() }
        // A call before the end is noticed gets that result. A later call runs its own operation.
        let didRun = Mutex(false)
        while didRun.withLock({ !$0 }) {
            try await flight.run(timeout: .seconds(30)) { didRun.withLock { $0 = true } }
        }
        struct Fault: Error {}
        await #expect(throws: Fault.self) { try await flight.run(timeout: .seconds(30)) { throw Fault() } }
        try await flight.run(timeout: .seconds(30)) {}
    }

    @Test("A value is reused for its lifetime, an error is not")
    func lifetime() async throws {
        let flight = SingleFlight<Int>(reusingValueFor: .seconds(3_600))
        struct Fault: Error {}
        await #expect(throws: Fault.self) { try await flight.run { throw Fault() } }
        #expect(try await flight.run { 1 } == 1)
        #expect(try await flight.run { 2 } == 1)
        let none = SingleFlight<Int>()
        #expect(try await none.run { 1 } == 1)
        #expect(try await none.run { 2 } == 2)
    }
}
