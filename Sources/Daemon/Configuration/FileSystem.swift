private import Glibc

/// What start-up asks of the file system.
enum FileSystem {
    static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Holds the archives' directory to what a process needs of it.
    ///
    /// - Throws: ``ConfigurationFault``.
    static func checkArchives(_ path: String, writing: Bool) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw ConfigurationFault("there is no directory \(path) for archives: create it, or configure another")
        }
        guard access(path, writing ? R_OK | W_OK | X_OK : R_OK | X_OK) == 0 else {
            throw ConfigurationFault(
                "the directory \(path) for archives may not be \(writing ? "written" : "read") by this user: check its owner and mode"
            )
        }
    }
}
