private import Foundation
private import Glibc
private import Synchronization

/// The requests, connections and deliveries of this process since it started.
final class ServerMetrics: Sendable {
    /// Upper bounds of the buckets of requests' durations, in microseconds.
    static let bounds = [
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ]

    struct Figures: Sendable {
        /// By method and outcome: `ok`, or the kind of the error.
        var requests: [Request: Int] = [:]
        /// Durations of requests, except of those whose duration the caller chooses, by bucket. The last bucket has no bound.
        var durations = [Int](repeating: 0, count: ServerMetrics.bounds.count + 1)
        var time: Duration = .zero
        var connections = 0
        var acceptedConnections = 0
        var refusedConnections = 0
        var stalledConnections = 0
        var openedWorkbooks = 0
        /// Bytes of workbooks sent through pipes and in parts, without archives that were passed as open files.
        var sentBytes = 0
    }

    struct Request: Hashable, Sendable {
        let method: String
        let outcome: String
    }

    private let state = Mutex(Figures())

    var figures: Figures { state.withLock { $0 } }

    /// - Parameter duration: nil if the caller chooses it.
    func served(_ method: String, _ outcome: String, in duration: Duration?) {
        state.withLock { state in
            state.requests[Request(method: method, outcome: outcome), default: 0] += 1
            guard let duration else { return }
            state.durations[Self.bounds.firstIndex { duration <= .microseconds($0) } ?? Self.bounds.count] += 1
            state.time += duration
        }
    }

    func connected() {
        state.withLock { state in
            state.connections += 1
            state.acceptedConnections += 1
        }
    }

    func disconnected() {
        state.withLock { $0.connections -= 1 }
    }

    func refusedConnection() {
        state.withLock { $0.refusedConnections += 1 }
    }

    func stalledConnection() {
        state.withLock { $0.stalledConnections += 1 }
    }

    func sent(_ bytes: Int) {
        state.withLock { $0.sentBytes += bytes }
    }

    func openedWorkbook() {
        state.withLock { $0.openedWorkbooks += 1 }
    }
}

/// The memory, processor time and descriptors of this process, from proc(5).
struct ProcessFigures {
    private static let start = Date().timeIntervalSince1970

    /// Records when the process started. Call it first.
    static func begin() {
        _ = start
    }

    /// Adds families under the names that Prometheus' own libraries use.
    func add(to text: inout OpenMetricsText) {
        var time = timespec()
        // SAFETY: the system fills one structure, here and below.
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        text.family("process_cpu_seconds", .counter, unit: "seconds", "Processor time of this process.")
        text.sample("process_cpu_seconds_total", [:], Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
        let memory = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = memory.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        text.gauge(
            "process_resident_memory_bytes", unit: "bytes", "Resident memory of this process.",
            pages * Int(sysconf(Int32(_SC_PAGESIZE))))
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count - 1) ?? 0
        text.gauge("process_open_fds", "Open file descriptors.", max(0, descriptors))
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        text.gauge("process_max_fds", "Maximum number of open file descriptors.", Int(clamping: limit.rlim_cur))
        text.family(
            "process_start_time_seconds", .gauge, unit: "seconds", "Start time of this process, in seconds since 1970.")
        text.sample("process_start_time_seconds", [:], Self.start)
    }
}
