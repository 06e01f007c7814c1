internal import Crypto
internal import Foundation

/// The file that a workbook or a receipt is downloaded to. It appears under its name complete, or not at all.
///
/// Until then it has no name, if the file system supports that, so that even a killed process leaves no partial file.
///
/// SAFETY, for every `unsafe` here: the system reads the paths, and fills one structure or the template, during the call. The path that
/// realpath(3) allocates is copied and freed once.
struct DownloadedFile: ~Copyable {
    /// O_TMPFILE (open(2)), a macro that Swift cannot import. This part of it is the same on x86-64 and ARM.
    private static let unnamed = 0o20_000_000 | O_DIRECTORY

    /// O_PATH (open(2)): names a file without opening it for reading or writing.
    private static let onlyPath: Int32 = 0o10_000_000

    private let path: String
    private let directory: String
    private let handle: FileHandle
    private let replaces: Bool
    /// The temporary name, if the file needs one.
    private var temporary: String?
    private var hash = SHA256()

    /// Creates a file in the folder of the path. Only its owner may read it.
    ///
    /// - Throws: ``CommandFailure`` with the status 73.
    init(path: String, replacing: Bool) throws {
        let target = try Self.target(path, replacing: replacing)
        let folder = Self.folder(of: target)
        let file = try Self.create(in: folder)
        self.path = target
        directory = folder
        replaces = replacing
        temporary = file.name
        handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true)
    }

    deinit {
        if let temporary { unsafe unlink(temporary) }
    }

    // MARK: Checks before the download

    /// - Throws: ``CommandFailure`` if a file cannot be written at the path.
    static func check(_ path: String, replacing: Bool) throws {
        try check(folder: folder(of: target(path, replacing: replacing)))
    }

    /// Creates a file without a name and removes it: only that shows whether the file system accepts files.
    ///
    /// - Throws: ``CommandFailure`` if no file can be created in the folder.
    static func check(folder: String) throws {
        let file = try create(in: folder)
        close(file.descriptor)
        if let name = file.name { unsafe unlink(name) }
    }

    /// The path at which the file appears. A symbolic link stays, and its target is replaced.
    ///
    /// - Throws: ``CommandFailure`` if something exists there that must not be replaced.
    private static func target(_ path: String, replacing: Bool) throws -> String {
        guard !path.isEmpty else { throw CommandFailure(status: .usage, message: "the file's name is empty") }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw failure(path) }
            return path
        }
        guard replacing else { throw taken(path) }
        let resolved = try status.st_mode & S_IFMT == S_IFLNK ? resolved(path) : path
        guard unsafe lstat(resolved, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw CommandFailure(
                status: .cannotCreate,
                message: "\(path) is not a regular file and cannot be replaced; name another file with -o")
        }
        return resolved
    }

    /// The target of a link. The kernel follows it, so it refuses a link that another user made in a folder that everybody may write to, such
    /// as /tmp (fs.protected_symlinks, proc(5)).
    private static func resolved(_ path: String) throws -> String {
        let descriptor = unsafe open(path, onlyPath | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw failure(path) }
            throw CommandFailure(
                status: .cannotCreate,
                message: "\(path) is a link to a file that does not exist; remove the link, or name another file with -o"
            )
        }
        defer { close(descriptor) }
        guard let real = unsafe realpath("/proc/self/fd/\(descriptor)", nil) else { throw failure(path) }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func create(in folder: String) throws -> (descriptor: Int32, name: String?) {
        var name: String?
        var descriptor = unsafe open(folder, Self.unnamed | O_WRONLY | O_CLOEXEC, 0o600)
        if descriptor < 0, [EOPNOTSUPP, EISDIR, ENOENT, EINVAL].contains(errno) {
            var template = Array("\(folder)/.adminexport.XXXXXX".utf8CString)
            descriptor = unsafe mkstemp(&template)
            if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            name = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard descriptor >= 0 else {
            let code = errno
            var status = stat()
            guard unsafe stat(folder, &status) == 0 || errno != ENOENT else {
                throw CommandFailure(
                    status: .cannotCreate,
                    message: "the folder \(folder) does not exist; create it, or name another with -o")
            }
            throw CommandFailure(
                status: .cannotCreate,
                message:
                    "no file can be created in \(folder): \(CommandFailure.reason(code)); name another folder with -o")
        }
        return (descriptor, name)
    }

    private static func folder(of path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func failure(_ path: String) -> CommandFailure {
        errno == EEXIST
            ? taken(path)
            : CommandFailure(
                status: .cannotCreate, message: "\(path) cannot be created: \(CommandFailure.reason(errno))")
    }

    private static func taken(_ path: String) -> CommandFailure {
        CommandFailure(
            status: .cannotCreate, message: "\(path) exists already; replace it with --force, or name another file with -o")
    }

    // MARK: Content

    mutating func append(_ data: Data) throws {
        hash.update(data: data)
        do {
            try handle.write(contentsOf: data)
        } catch {
            throw CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: the disk may be full")
        }
    }

    /// Checks the content against the service's digest.
    func verify(sha256: String?) throws {
        try hash.check(sha256)
    }

    /// Gives the file its name.
    mutating func keep() throws {
        if replaces {
            let name = try named()
            FileAccess(of: path)?.apply(to: handle.fileDescriptor)
            guard fsync(handle.fileDescriptor) == 0 else { throw Self.failure(path) }
            guard unsafe rename(name, path) == 0 else { throw Self.failure(path) }
            temporary = nil
            return
        }
        guard fsync(handle.fileDescriptor) == 0 else { throw Self.failure(path) }
        if let temporary {
            // link() refuses a name that exists meanwhile. Not every file system supports it.
            if unsafe link(temporary, path) != 0 {
                guard errno != EEXIST, unsafe access(path, F_OK) != 0, unsafe rename(temporary, path) == 0 else {
                    throw Self.failure(path)
                }
                self.temporary = nil
            }
        } else {
            try giveName(path)
        }
    }

    /// A temporary name in the same folder, from which the file can be renamed over the target.
    private mutating func named() throws -> String {
        if let temporary { return temporary }
        let name = "\(directory)/.adminexport.\(UUID().uuidString)"
        try giveName(name)
        temporary = name
        return name
    }

    private func giveName(_ name: String) throws {
        let source = "/proc/self/fd/\(handle.fileDescriptor)"
        guard unsafe linkat(AT_FDCWD, source, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 else { throw Self.failure(path) }
    }
}

extension SHA256 {
    /// Checks the bytes hashed so far against a digest in hexadecimal.
    ///
    /// - Throws: ``CommandFailure`` if they have another digest.
    func check(_ sha256: String?) throws {
        let digest = finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard digest == sha256 else {
            throw CommandFailure(status: .failed, message: "the file arrived damaged (its SHA-256 differs): try again")
        }
    }
}
