private import Glibc

/// How many descriptors this process may have.
enum DescriptorLimit {
    /// More than connections and transfers ever take, by default and far above it.
    private static let enough: rlim_t = 65_536

    /// Takes what the system allows anyway: the usual soft limit of 1,024 is there for programs that use select(2).
    static func raise() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < enough else { return }
        limit.rlim_cur = min(limit.rlim_max, enough)
        setrlimit(resource, &limit)
    }
}
