internal import AdminExportAPI
private import Foundation

/// Where a workbook goes, as the command line says.
enum Destination: Equatable {
    case standardOutput
    case file(String)
    /// Into a folder, under the export's own name.
    case folder(String)

    /// - Parameter option: what `-o` names: a folder where it ends with a slash or is one; nil for the folder that one is in.
    init(_ option: String?) {
        switch option {
        case nil: self = .folder(".")
        case "-": self = .standardOutput
        case .some(let path):
            var status = stat()
            let isFolder = path.hasSuffix("/") || stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            self = isFolder ? .folder(path) : .file(path)
        }
    }

    /// Finds out what can be known before the export is there: whether the file could be written.
    ///
    /// The name in a folder is not known yet, so nothing that has one is in the way.
    func check(replacing: Bool) throws {
        switch self {
        case .standardOutput:
            guard !Output.isTerminal else {
                throw CommandFailure(
                    status: .usage, message: "a workbook is not for a terminal: redirect standard output, or name a file")
            }
        case .file(let path): try WorkbookFile.check(path, replacing: replacing)
        case .folder(let path): try WorkbookFile.check(folder: path)
        }
    }

    /// The file's path; nil for standard output.
    ///
    /// - Parameter name: the export's own. It comes from the service, and decides nothing but the file's name.
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
