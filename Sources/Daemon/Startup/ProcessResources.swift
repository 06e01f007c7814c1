private import Glibc
internal import ServiceLifecycle

/// Returns memory to the system after many callers were served: the C library keeps what was freed.
///
/// SAFETY: malloc_trim(3) and mallopt(3) have these types.
struct MemoryTrim: Service {
    private static let interval: Duration = .seconds(10)
    /// Trims if callers held at least this much, in bytes.
    private static let threshold = 4 * 1024 * 1024

    let server: SocketServer

    /// malloc_trim(3), where this C library has it.
    private static let trim = unsafe dlsym(nil, "malloc_trim").map {
        unsafe unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
    }

    /// Makes the C library map each large allocation separately, and unmap it when it is freed. By default it keeps freed memory in
    /// a heap for each thread: a process that makes one large export after another grows from 55 to 66 MiB.
    static func limit() {
        // M_MMAP_THRESHOLD, a macro that Swift does not import.
        let option: CInt = -3
        guard let symbol = unsafe dlsym(nil, "mallopt") else { return }
        _ = unsafe unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)(option, 128 * 1024)
    }

    func run() async throws {
        guard let trim = Self.trim else { return try await gracefulShutdown() }
        try? await cancelWhenGracefulShutdown {
            var ended = 0
            while true {
                try await Task.sleep(for: Self.interval)
                let now = server.endedConnections
                // Walking the heap takes some milliseconds.
                if now != ended || server.takeMostHeldBytes() > Self.threshold { _ = trim(0) }
                ended = now
            }
        }
    }
}

/// The number of descriptors that this process may open.
enum DescriptorLimit {
    /// More than connections and transfers take, also with limits far above the defaults.
    private static let enough: rlim_t = 65_536

    /// Raises the soft limit to the hard limit. The usual soft limit of 1,024 exists for programs that use select(2).
    static func raise() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // SAFETY: the system fills or reads one structure.
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < enough else { return }
        limit.rlim_cur = min(limit.rlim_max, enough)
        unsafe setrlimit(resource, &limit)
    }
}
