private import Foundation
private import Glibc

/// What the kernel tells of this process (proc(5)).
struct ProcessFigures: Sendable {
    /// Descriptors in use and allowed, resident memory, processor time, and when it started, since 1970.
    let openDescriptors: Int
    let mostDescriptors: Int
    let residentBytes: Int
    let processorSeconds: Double
    let startSeconds: Double

    private static let start = Date().timeIntervalSince1970

    /// Notes when the process started.
    static func begin() {
        _ = start
    }

    init() {
        openDescriptors = max(0, (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count - 1) ?? 0)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        mostDescriptors = Int(clamping: limit.rlim_cur)
        let memory = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = memory.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        residentBytes = pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        processorSeconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        startSeconds = Self.start
    }
}
