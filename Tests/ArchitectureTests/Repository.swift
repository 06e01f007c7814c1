internal import Foundation

/// The files of this repository, for tests that read them.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Whole texts of files, with their paths below the root.
    static func files(in folder: String, withExtensions extensions: Set<String>) throws -> [(path: String, text: String)] {
        let base = root.appending(path: folder)
        let files = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
        var found: [(path: String, text: String)] = []
        while let file = files?.nextObject() as? URL {
            guard extensions.contains(file.pathExtension) else { continue }
            found.append((String(file.path.dropFirst(root.path.count + 1)), try String(contentsOf: file, encoding: .utf8)))
        }
        return found
    }

    static func swiftFiles(in folder: String) throws -> [(path: String, text: String)] {
        try files(in: folder, withExtensions: ["swift"])
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    /// The names of the folders below a folder, at any depth.
    static func folderNames(in folder: String) throws -> Set<String> {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
        return Set(paths.flatMap { $0.split(separator: "/").dropLast().map(String.init) })
    }
}
