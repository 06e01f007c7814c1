private import Glibc
internal import ServiceLifecycle

/// Gives memory back to the system that a crowd of callers has left: the C library keeps what it once had.
struct MemoryTrim: Service {
    private static let interval: Duration = .seconds(10)
    /// What callers have to have held for it to be worth the while, in bytes.
    private static let much = 4 * 1024 * 1024

    let server: SocketServer

    /// malloc_trim(3), where this C library has it.
    private static let trim = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
    }

    /// Has the C library ask the system for each large piece of memory by itself, and give it back at once. What it does by
    /// default is to keep what once was freed, in a heap for each thread: a process that makes one large export after the
    /// other would grow from 55 to 66 MiB.
    static func limit() {
        // M_MMAP_THRESHOLD, a macro that Swift does not see.
        let threshold: CInt = -3
        guard let symbol = dlsym(nil, "mallopt") else { return }
        _ = unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)(threshold, 128 * 1024)
    }

    func run() async throws {
        guard let trim = Self.trim else { return try await gracefulShutdown() }
        try? await cancelWhenGracefulShutdown {
            var ended = 0
            while true {
                try await Task.sleep(for: Self.interval)
                let now = server.endedConnections
                // Walking the heap takes some milliseconds: not for nothing.
                if now != ended || server.takeMostHeldBytes() > Self.much { _ = trim(0) }
                ended = now
            }
        }
    }
}
