private import Crypto
internal import Foundation
private import Terminal

/// The file that a workbook is fetched into: it appears under its name whole and verified, or not at all.
///
/// Where the file system can, it has no name until then, so that not even a process that is killed leaves a part of it.
struct WorkbookFile: ~Copyable {
    /// O_TMPFILE (open(2)), a macro that Swift does not see; this part of it is the same on x86-64 and ARM.
    private static let unnamed = 0o20_000_000 | O_DIRECTORY

    private let path: String
    private let directory: String
    private let handle: FileHandle
    private let replaces: Bool
    /// The name that it has meanwhile, where it needs one.
    private var temporary: String?
    private var hash = SHA256()

    /// Creates a file in the folder of the one that is wanted; only its owner may read it.
    ///
    /// - Throws: ``CommandFailure`` with the status 73.
    init(path: String, replacing: Bool) throws {
        try Self.checkFree(path, replacing: replacing)
        // A link stays one: what it leads to is replaced.
        let target = replacing ? Self.resolved(path) : path
        let folder = Self.folder(of: target)
        var name: String?
        var descriptor = open(folder, Self.unnamed | O_WRONLY | O_CLOEXEC, 0o600)
        if descriptor < 0, [EOPNOTSUPP, EISDIR, ENOENT, EINVAL].contains(errno) {
            var template = Array("\(folder)/.adminexport.XXXXXX".utf8CString)
            descriptor = mkstemp(&template)
            name = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard descriptor >= 0 else { throw Self.failure(target) }
        self.path = target
        directory = folder
        replaces = replacing
        temporary = name
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    deinit {
        if let temporary { unlink(temporary) }
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(status: .cannotCreate, message: "\(path) cannot be created: \(String(cString: strerror(errno)))")
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// - Throws: ``CommandFailure`` where there is something that may not be replaced.
    static func checkFree(_ path: String, replacing: Bool) throws {
        guard !path.isEmpty else { throw CommandFailure(status: .usage, message: "the file's name is empty") }
        guard access(folder(of: replacing ? resolved(path) : path), W_OK | X_OK) == 0 else { throw failure(path) }
        var status = stat()
        if replacing {
            guard stat(path, &status) == 0 else {
                guard lstat(path, &status) != 0 else {
                    throw CommandFailure(status: .cannotCreate, message: "\(path) is a link that leads nowhere")
                }
                return
            }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw CommandFailure(status: .cannotCreate, message: "\(path) is no regular file, and is not replaced")
            }
        } else {
            guard lstat(path, &status) == 0 else { return }
            throw CommandFailure(
                status: .cannotCreate,
                message: "\(path) is there already; use --force to replace it, or -o for another name")
        }
    }

    mutating func append(_ data: Data) throws {
        hash.update(data: data)
        do {
            try handle.write(contentsOf: data)
        } catch {
            throw CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: the disk may be full")
        }
    }

    /// Checks the content against the service's digest and puts the file under its name.
    mutating func keep(sha256: String?) throws {
        let digest = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard digest == sha256 else {
            throw CommandFailure(status: .failed, message: "the file arrived damaged (SHA-256 differs); try again")
        }
        guard fsync(handle.fileDescriptor) == 0 else { throw Self.failure(path) }
        if replaces {
            let name = try named()
            guard rename(name, path) == 0 else { throw Self.failure(path) }
            temporary = nil
        } else if let temporary {
            // link() refuses a name that somebody took meanwhile; not every file system has it.
            if link(temporary, path) != 0 {
                guard errno != EEXIST, access(path, F_OK) != 0, rename(temporary, path) == 0 else {
                    throw Self.failure(path)
                }
                self.temporary = nil
            }
        } else {
            try giveName(path)
        }
    }

    /// A name beside the target's, from which it can be renamed over it.
    private mutating func named() throws -> String {
        if let temporary { return temporary }
        let name = "\(directory)/.adminexport.\(UUID().uuidString)"
        try giveName(name)
        temporary = name
        return name
    }

    private func giveName(_ name: String) throws {
        let source = "/proc/self/fd/\(handle.fileDescriptor)"
        guard linkat(AT_FDCWD, source, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 else { throw Self.failure(name) }
    }
}
