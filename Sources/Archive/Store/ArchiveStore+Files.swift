private import Glibc
internal import SystemPackage

/// A file of an archive that lies in the store, finished or partial.
package struct StoredFile: Hashable, Sendable {
    /// Below the root: `<tenant>/<yyyy>/<mm>/<name>`.
    let components: [String]
    package let job: String
    package let epoch: Int
    /// Of the file, without its directories.
    package var name: String { components[components.count - 1] }

    /// Nil for a name that no archive has.
    init?(_ components: [String]) {
        guard components.count == 4, let name = components.last else { return nil }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isArchive = parts.dropFirst(2) == ["xlsx", "zst"] || parts.dropFirst(2) == ["xlsx", "zst", "partial"]
        guard parts.count >= 4, isArchive, let epoch = Int(parts[1]) else { return nil }
        self.components = components
        job = String(parts[0])
        self.epoch = epoch
    }
}

extension ArchiveStore {
    /// Calls the body with the archives of one month of one tenant at a time, partial ones too. What has another name is
    /// not ours and is passed over.
    package func forEachMonth(_ body: ([StoredFile]) throws -> Void) throws {
        for tenant in try names(in: []) {
            for year in try names(in: [tenant]) where year.count == 4 && Int(year) != nil {
                for month in try names(in: [tenant, year]) where month.count == 2 && Int(month) != nil {
                    let files = try names(in: [tenant, year, month]).compactMap { StoredFile([tenant, year, month, $0]) }
                    if !files.isEmpty { try body(files) }
                }
            }
        }
    }

    /// Removes a file that was found; one that is gone already is no error.
    package func remove(_ file: StoredFile) throws {
        do {
            try calls.unlink(path(file.components))
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw ArchiveError(error, "removing an archive")
        }
    }

    private func path(_ components: [String]) -> FilePath {
        components.reduce(root) { $0.appending($1) }
    }

    /// The entries of a directory in order; none for what is no directory, and below the root none for one that is not ours to
    /// read, such as `lost+found`.
    private func names(in components: [String]) throws -> [String] {
        guard let directory = opendir(path(components).string) else {
            if errno == ENOTDIR || errno == ENOENT || errno == EACCES && !components.isEmpty { return [] }
            throw ArchiveError(Errno(rawValue: errno), "listing archives")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}
