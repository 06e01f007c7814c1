import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite struct ServiceManagerTests {
    @Test("Each message is one datagram of assignments")
    func messages() {
        let receiver = DatagramReceiver()
        let manager = ServiceManager(socket: receiver.path, watchdog: nil)
        manager.ready(status: "Serving")
        #expect(receiver.text() == "READY=1\nSTATUS=Serving")
        manager.ready(status: "Serving", error: EINVAL)
        #expect(receiver.text() == "READY=1\nSTATUS=Serving\nERRNO=22")
        manager.status("2 callers")
        #expect(receiver.text() == "STATUS=2 callers")
        manager.stopping(status: "Stopping")
        #expect(receiver.text() == "STOPPING=1\nSTATUS=Stopping")
        manager.extendTimeout(by: .seconds(15))
        #expect(receiver.text() == "EXTEND_TIMEOUT_USEC=15000000")
        manager.isAlive()
        #expect(receiver.text() == "WATCHDOG=1")
        #expect(receiver.text() == nil)
    }

    @Test("A reload message contains the start of the reload on the monotonic clock")
    func reloading() throws {
        let receiver = DatagramReceiver()
        var before = timespec()
        clock_gettime(CLOCK_MONOTONIC, &before)
        ServiceManager(socket: receiver.path, watchdog: nil).reloading(status: "Reading")
        var after = timespec()
        clock_gettime(CLOCK_MONOTONIC, &after)
        let words = try #require(receiver.text()).split(separator: "\n")
        #expect(words.first == "RELOADING=1" && words.last == "STATUS=Reading" && words.count == 3)
        let time = try #require(words[1].split(separator: "=").last.flatMap { Int($0) })
        func microseconds(_ time: timespec) -> Int { time.tv_sec * 1_000_000 + time.tv_nsec / 1_000 }
        #expect(words[1].hasPrefix("MONOTONIC_USEC=") && (microseconds(before)...microseconds(after)).contains(time))
    }

    @Test("A line end in a status does not begin another assignment")
    func lineEnds() {
        let receiver = DatagramReceiver()
        ServiceManager(socket: receiver.path, watchdog: nil).status("a fault\nSTOPPING=1\r\nMAINPID=1")
        #expect(receiver.text() == "STATUS=a fault; STOPPING=1; MAINPID=1")
    }

    @Test("Without a manager, or if the manager is gone, sending a message does not fail")
    func nobody() {
        #expect(!ServiceManager(socket: nil, watchdog: nil).isPresent)
        ServiceManager(socket: nil, watchdog: nil).isAlive()
        ServiceManager(socket: "/nonexistent/notify", watchdog: nil).isAlive()
        ServiceManager(socket: String(repeating: "x", count: 200), watchdog: nil).isAlive()
    }
}

/// Serialized, because all tests share the environment of the process.
@Suite(.serialized) struct ServiceManagerEnvironmentTests {
    @Test(
        "The watchdog applies to this process if WATCHDOG_PID names it or is not set",
        arguments: [
            ("30000000", nil, Duration.seconds(30)), ("30000000", "own", .seconds(30)), ("30000000", "1", nil),
            ("0", nil, nil), ("-5", nil, nil), ("soon", nil, nil), (nil, nil, nil),
        ] as [(String?, String?, Duration?)])
    func watchdog(_ period: String?, _ pid: String?, _ expected: Duration?) {
        if let period { setenv("WATCHDOG_USEC", period, 1) }
        if let pid { setenv("WATCHDOG_PID", pid == "own" ? "\(getpid())" : pid, 1) }
        setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1)
        let manager = ServiceManager()
        #expect(manager.watchdog == expected && manager.isPresent)
        for name in ["WATCHDOG_USEC", "WATCHDOG_PID", "NOTIFY_SOCKET"] {
            #expect(getenv(name) == nil, "a child process would inherit \(name)")
        }
    }
}
