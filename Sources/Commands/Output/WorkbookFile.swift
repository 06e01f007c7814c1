private import Crypto
internal import Foundation

/// The file that a workbook is fetched into: it appears under its name whole and verified, or not at all.
struct WorkbookFile: ~Copyable {
    private let path: String
    private let temporary: String
    private let handle: FileHandle
    private let replaces: Bool
    private var hash = SHA256()
    private var isKept = false

    /// Creates a file beside the one that is wanted; only its owner may read it.
    ///
    /// - Throws: ``CommandFailure`` with the status 73.
    init(path: String, replacing: Bool) throws {
        try Self.checkFree(path, replacing: replacing)
        let directory = (path as NSString).deletingLastPathComponent
        let name = (path as NSString).lastPathComponent
        var template = Array("\(directory.isEmpty ? "." : directory)/.\(name).XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw CommandFailure(
                status: .cannotCreate, message: "\(path) cannot be created: \(String(cString: strerror(errno)))")
        }
        self.path = path
        temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        replaces = replacing
    }

    deinit {
        if !isKept { unlink(temporary) }
    }

    /// - Throws: ``CommandFailure`` where there is a file that may not be replaced.
    static func checkFree(_ path: String, replacing: Bool) throws {
        guard !replacing, FileManager.default.fileExists(atPath: path) else { return }
        throw CommandFailure(
            status: .cannotCreate, message: "\(path) is there already; use --force to replace it, or -o for another name")
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
        guard fsync(handle.fileDescriptor) == 0 else {
            throw CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        // link() refuses a name that somebody took meanwhile; rename() would replace it.
        let done = replaces ? rename(temporary, path) : link(temporary, path)
        guard done == 0 else {
            throw CommandFailure(status: .cannotCreate, message: "\(path) cannot be created: \(String(cString: strerror(errno)))")
        }
        if !replaces { unlink(temporary) }
        isKept = true
    }
}
