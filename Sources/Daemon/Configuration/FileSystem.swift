private import Glibc

/// The checks of the file system at the start.
///
/// SAFETY, for every `unsafe` here: the system reads the path and fills one structure during the call; the user's name is copied.
enum FileSystem {
    static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    private static var userName: String {
        unsafe getpwuid(geteuid()).map { unsafe String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
    }

    /// Checks that this process can use the directory of archives.
    ///
    /// - Throws: ``ConfigurationFault``.
    static func checkArchives(_ path: String, writing: Bool) throws {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw ConfigurationFault("there is no directory \(path) for archives: create it, or configure another")
        }
        guard unsafe access(path, writing ? R_OK | W_OK | X_OK : R_OK | X_OK) == 0 else {
            throw ConfigurationFault(
                "the directory \(path) for archives may not be \(writing ? "written" : "read") by the user \(userName): run this as "
                    + "adminexport or adminexport-worker, or check its owner and mode"
            )
        }
    }
}
