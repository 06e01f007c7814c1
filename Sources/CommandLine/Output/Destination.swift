internal import AdminExportAPI
private import Foundation

/// The destination of a workbook, from the command line.
enum Destination: Equatable {
    case standardOutput
    case file(String)
    /// A file in this folder with the export's own name.
    case folder(String)

    /// - Parameter option: the value of `-o`. It is a folder if it ends with a slash or if it is a directory; nil is the current folder.
    init(_ option: String?) {
        switch option {
        case nil: self = .folder(".")
        case "-": self = .standardOutput
        case .some(let path):
            var status = stat()
            // SAFETY: the system reads the path and fills one structure.
            let isDirectory = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            self = isDirectory || path.hasSuffix("/") ? .folder(path) : .file(path)
        }
    }

    /// Checks before the export whether the file can be written.
    ///
    /// The name in a folder is not known yet, so a file that exists there is not found here.
    func check(replacing: Bool) throws {
        switch self {
        case .standardOutput:
            guard !Output.isTerminal else {
                throw CommandFailure(
                    status: .usage,
                    message: "a workbook cannot be shown on a terminal; redirect standard output, or name a file with -o")
            }
        case .file(let path): try DownloadedFile.check(path, replacing: replacing)
        case .folder(let path): try DownloadedFile.check(folder: path)
        }
    }

    /// The file's path; nil for standard output.
    ///
    /// - Parameter name: the export's own name. It comes from the service, so it is made safe first.
    func path(named name: String?) -> String? {
        switch self {
        case .standardOutput: return nil
        case .file(let path): return path
        case .folder(let path):
            let name = WorkbookName.safe(name ?? "")
            return path == "." ? name : path.hasSuffix("/") ? path + name : "\(path)/\(name)"
        }
    }
}
