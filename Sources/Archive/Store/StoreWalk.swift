private import Glibc
internal import SystemPackage

/// A file in the store that has the name of an archive, finished or partial.
package struct StoredFile: Hashable, Sendable {
    /// The path from the root: `<tenant>/<yyyy>/<mm>/<name>`.
    let components: [String]
    /// The id of the job, from the name.
    package let job: String
    /// The epoch of the attempt, from the name.
    package let epoch: Int
    /// The name of the file, without its directories.
    package var name: String { components[components.count - 1] }

    /// nil for a name that no archive of this service has: `<uuid>.<epoch>.xlsx.zst`, with `.partial` while it is written. The
    /// id is in lower case; the epoch is decimal, from 1 to the largest value of the database's type.
    init?(_ components: [String]) {
        guard components.count == 4, let name = components.last else { return nil }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 || parts.count == 5 && parts[4] == "partial", parts[2] == "xlsx", parts[3] == "zst",
            Self.isID(parts[0]), let epoch = Int32(parts[1]), epoch > 0, String(epoch) == parts[1]
        else { return nil }
        self.components = components
        job = String(parts[0])
        self.epoch = Int(epoch)
    }

    private static func isID(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 36
            && bytes.indices.allSatisfy { index in
                [8, 13, 18, 23].contains(index)
                    ? bytes[index] == UInt8(ascii: "-")
                    : StoreWalk.digits.contains(bytes[index])
                        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(bytes[index])
            }
    }
}

extension ArchiveStore {
    /// Removes a file that a walk found. A missing file is not an error.
    package func remove(_ file: StoredFile) throws {
        do {
            try calls.unlink(path(file.components))
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw ArchiveError(error, "removing an archive")
        }
    }

    fileprivate func path(_ components: [String]) -> FilePath {
        components.reduce(root) { $0.appending($1) }
    }
}

/// A walk through the store, some files at a time, with one open directory on each level. Its memory does not depend on the
/// number of files.
///
/// The walk counts everything that cannot be an archive of this service and does not touch it. It follows no symbolic link
/// below the root: the link could lead to another installation's archives, which would all count as orphans, or back into the
/// store.
/// The walk is used by one thread at a time.
package final class StoreWalk {
    /// What the walk passed over.
    package struct Strays: Equatable, Sendable {
        /// Entries whose name no archive has, or that are neither a directory nor a file.
        package fileprivate(set) var count = 0
        /// Directories that cannot be read.
        package fileprivate(set) var unreadable = 0
        /// A hash of the names, independent of their order. It shows whether two walks have found the same entries.
        private var digest: UInt64 = 0

        /// Nothing passed over.
        package init() {}

        fileprivate mutating func add(_ directory: [String], _ name: [UInt8], isUnreadable: Bool) {
            if isUnreadable { unreadable += 1 } else { count += 1 }
            // FNV-1a. A collision only suppresses a line in the log.
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in directory.joined(separator: "/").utf8 + [UInt8(ascii: "/")] + name {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
            digest ^= hash
        }
    }

    /// SAFETY: the stream is closed once, when the level goes, and used by the walk alone. An entry is valid until the next call, and its
    /// name ends with a zero.
    @safe private final class Level {
        let components: [String]
        private let directory: OpaquePointer

        init(_ components: [String], adopting file: FileDescriptor) throws {
            self.components = components
            guard let directory = unsafe fdopendir(file.rawValue) else {
                let error = Errno(rawValue: errno)
                try? file.close()
                throw ArchiveError(error, "listing archives")
            }
            unsafe self.directory = directory
        }

        deinit {
            unsafe closedir(directory)
        }

        private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 19

        enum Kind {
            case directory, file, unknown, other
        }

        /// The next name that does not begin with a dot, as bytes: it need not be UTF-8.
        func next() throws -> (name: [UInt8], kind: Kind)? {
            while true {
                errno = 0
                guard let entry = unsafe readdir(directory) else {
                    if errno != 0 { throw ArchiveError(Errno(rawValue: errno), "listing archives") }
                    return nil
                }
                // An entry is as long as its name, not as its type.
                let start = unsafe UnsafeRawPointer(entry) + Self.nameOffset
                let count = unsafe strnlen(start.assumingMemoryBound(to: CChar.self), Int(NAME_MAX) + 1)
                let name = unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
                guard name.first != UInt8(ascii: ".") else { continue }
                let kind: Kind =
                    switch unsafe Int(entry.pointee.d_type) {
                    case Int(DT_DIR): .directory
                    case Int(DT_REG): .file
                    case Int(DT_UNKNOWN): .unknown
                    default: .other
                    }
                return (name, kind)
            }
        }
    }

    fileprivate static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    /// The directory that some file systems create at their root.
    private static let lostAndFound = Array("lost+found".utf8)
    /// The maximum number of names that one step reads, so that a step is bounded even if it finds no file.
    private static let maxNames = 10_000

    private let store: ArchiveStore
    private var levels: [Level] = []
    /// What the walk has passed over so far.
    package private(set) var strays = Strays()

    /// - Throws: ``ArchiveError`` if the root cannot be read.
    package init(_ store: ArchiveStore) throws {
        self.store = store
        levels = [
            try Level([], adopting: storage("listing archives") { try store.calls.openDirectory(store.root, isRoot: true) })
        ]
    }

    /// The result of one step.
    package enum Step: Sendable {
        /// The next files. The list can be empty before the end.
        case files([StoredFile])
        /// The walk is complete.
        case end
    }

    /// Returns the next files, up to the given number. The result may or may not contain a file that is added or removed during
    /// the walk.
    package func step(files most: Int) throws -> Step {
        var files: [StoredFile] = []
        var names = 0
        while let level = levels.last {
            guard files.count < most, names < Self.maxNames else { return .files(files) }
            names += 1
            let entry: (name: [UInt8], kind: Level.Kind)?
            do {
                entry = try level.next()
            } catch {
                // A directory below the root that cannot be read does not end the walk.
                if levels.count == 1 { throw error }
                strays.add(level.components, [], isUnreadable: true)
                entry = nil
            }
            guard let (name, kind) = entry else {
                levels.removeLast()
                continue
            }
            if levels.count == 1, name == Self.lostAndFound { continue }
            guard Self.isOurs(name, at: levels.count) else {
                strays.add(level.components, name, isUnreadable: false)
                continue
            }
            let path = level.components + [String(decoding: name, as: UTF8.self)]
            if levels.count < 4 {
                enter(path, name, kind)
            } else if let file = StoredFile(path), kind == .file || kind == .unknown && isFile(path) {
                files.append(file)
            } else {
                strays.add(level.components, name, isUnreadable: false)
            }
        }
        return files.isEmpty ? .end : .files(files)
    }

    private func enter(_ path: [String], _ name: [UInt8], _ kind: Level.Kind) {
        let parent = Array(path.dropLast())
        guard kind == .directory || kind == .unknown else {
            return strays.add(parent, name, isUnreadable: false)
        }
        do throws(Errno) {
            let file = try store.calls.openDirectory(store.path(path), isRoot: false)
            if let level = try? Level(path, adopting: file) {
                levels.append(level)
            } else {
                strays.add(parent, name, isUnreadable: true)
            }
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            let isStray = error == .notDirectory || error == .tooManySymbolicLinkLevels
            strays.add(parent, name, isUnreadable: !isStray)
        }
    }

    /// Asks the file system for the type of an entry that readdir(3) did not give.
    private func isFile(_ path: [String]) -> Bool {
        var status = stat()
        // SAFETY: lstat fills one structure.
        return unsafe lstat(store.path(path).string, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Whether a name can be a tenant's component (level 1), a year (2) or a month (3). ``StoredFile`` checks a file's name.
    private static func isOurs(_ name: [UInt8], at level: Int) -> Bool {
        switch level {
        case 1:
            name.allSatisfy { byte in
                digits.contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || "_-%~".utf8.contains(byte)
            }
        case 2: name.count == 4 && name.allSatisfy(digits.contains)
        case 3: name.count == 2 && name.allSatisfy(digits.contains)
        default: name.allSatisfy { $0 < 0x80 }
        }
    }
}

// SAFETY: one thread at a time makes a step of the walk, and after a step that did not end in time no other follows.
extension StoreWalk: @unchecked Sendable {}
