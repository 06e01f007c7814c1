private import Glibc
internal import ServiceLifecycle

/// Gives memory back to the system that a crowd of callers has left: the C library keeps what it once had.
struct MemoryTrim: Service {
    private static let interval: Duration = .seconds(10)

    let server: SocketServer

    /// malloc_trim(3), where this C library has it.
    private static let trim = dlsym(nil, "malloc_trim").map {
        unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
    }

    func run() async throws {
        guard let trim = Self.trim else { return try await gracefulShutdown() }
        try? await cancelWhenGracefulShutdown {
            var ended = 0
            while true {
                try await Task.sleep(for: Self.interval)
                let now = server.endedConnections
                // Walking the heap takes some milliseconds: not for nothing.
                if now != ended { _ = trim(0) }
                ended = now
            }
        }
    }
}
