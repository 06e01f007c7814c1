import Crypto
import Foundation
import Testing

@testable import CommandLine

@Suite struct DownloadedFileTests {
    private static let isRoot = geteuid() == 0

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/adminexport-file-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func write(_ path: String, replacing: Bool = true, _ text: String = "new") throws {
        var file = try DownloadedFile(path: path, replacing: replacing)
        try file.append(Data(text.utf8))
        try file.verify(
            sha256: SHA256.hash(data: Data(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        try file.keep()
    }

    private func status(_ path: String) -> stat {
        var status = stat()
        lstat(path, &status)
        return status
    }

    private func failure(_ body: () throws -> Void) -> CommandFailure? {
        do {
            try body()
            return nil
        } catch {
            return error as? CommandFailure
        }
    }

    @Test(
        "A new file has the mode 0600; a replaced file keeps its permission bits",
        arguments: [0o600, 0o644, 0o640, 0o400, 0o666, 0o4755])
    func mode(_ mode: Int) throws {
        try withFolder { folder in
            let path = folder + "/x"
            try write(path, replacing: false)
            #expect(status(path).st_mode & 0o7777 == 0o600)
            chmod(path, mode_t(mode))
            let before = status(path).st_ino
            try write(path, "newer")
            #expect(status(path).st_mode & 0o7777 == mode_t(mode) & 0o777 && status(path).st_ino != before)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "newer")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x"])
        }
    }

    @Test("Replacing another user's file keeps its owner and group, if this user may set them", .enabled(if: isRoot))
    func owner() throws {
        try withFolder { folder in
            let path = folder + "/x"
            try write(path, replacing: false)
            chown(path, 1_234, 4_321)
            chmod(path, 0o640)
            try write(path)
            #expect(status(path).st_uid == 1_234 && status(path).st_gid == 4_321 && status(path).st_mode & 0o777 == 0o640)
        }
    }

    @Test(
        "Replacing a file keeps its access list and does not apply the folder's default access list",
        .enabled(if: hasAccessLists))
    func lists() throws {
        try withFolder { folder in
            let path = folder + "/x"
            try write(path, replacing: false)
            #expect(setfacl("-m", "u:1234:r,g::-", path))
            try write(path)
            #expect(getfacl(path).contains("user:1234:r--") && getfacl(path).contains("group::---"))
            let plain = folder + "/plain"
            try write(plain, replacing: false)
            chmod(plain, 0o640)
            #expect(setfacl("-d", "-m", "u:1234:rwx", folder))
            try write(plain)
            #expect(!getfacl(plain).contains("1234") && status(plain).st_mode & 0o777 == 0o640, "\(getfacl(plain))")
        }
    }

    /// Whether setfacl exists and the file system of the tests supports access lists.
    private static var hasAccessLists: Bool {
        let path = "/tmp/adminexport-acl-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        return FileManager.default.createFile(atPath: path, contents: nil)
            && run("/usr/bin/setfacl", ["-m", "u:1234:r", path])?.status == 0
    }

    private func setfacl(_ arguments: String...) -> Bool { Self.run("/usr/bin/setfacl", arguments)?.status == 0 }

    private func getfacl(_ path: String) -> String { Self.run("/usr/bin/getfacl", ["-n", path])?.text ?? "" }

    private static func run(_ program: String, _ arguments: [String]) -> (status: Int32, text: String)? {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test(
        "If the owner or the group changes, the new mode gives nobody more access than before",
        arguments: [
            (0o640, true, true, 0o640), (0o644, false, true, 0o644), (0o664, true, false, 0o604),
            (0o604, true, false, 0o600),
            (0o660, false, false, 0o600), (0o444, false, false, 0o404), (0o077, false, true, 0o000),
            (0o070, true, false, 0o000),
            (0o647, true, false, 0o604),
        ])
    func classes(_ mode: Int, _ ownerKept: Bool, _ groupKept: Bool, _ expected: Int) {
        #expect(FileAccess.mode(UInt32(mode), ownerKept: ownerKept, groupKept: groupKept) == UInt32(expected))
    }

    @Test("Writing to a link replaces the file that it names; a link to no file or to a device is refused")
    func links() throws {
        try withFolder { folder in
            let (path, link) = (folder + "/x", folder + "/link")
            try write(path, replacing: false)
            symlink("x", link)
            try write(link, "newer")
            #expect(status(link).st_mode & S_IFMT == S_IFLNK)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "newer")
            #expect(failure { try write(link, replacing: false) }?.message.string.contains("exists already") == true)
            symlink("nowhere", folder + "/dangling")
            #expect(failure { try write(folder + "/dangling") }?.message.string.contains("does not exist") == true)
            symlink("/dev/null", folder + "/device")
            #expect(failure { try write(folder + "/device") }?.message.string.contains("not a regular file") == true)
        }
    }

    @Test("The check finds every destination that cannot be written, and leaves no file")
    func check() throws {
        try withFolder { folder in
            try write(folder + "/x", replacing: false)
            for (path, replacing, words) in [
                (folder + "/none/x", false, "the folder \(folder)/none does not exist"),
                (folder + "/x", false, "exists already"),
                (folder + "/x/y", false, "cannot be created: Not a directory"), (folder, true, "not a regular file"),
                (folder + "/" + String(repeating: "n", count: 256), false, "File name too long"), ("", false, "empty"),
                ("/proc/adminexport.xlsx", false, "no file can be created in /proc"),
            ] {
                let message = failure { try Destination.file(path).check(replacing: replacing) }?.message.string ?? "nothing"
                #expect(message.contains(words), "\(path): \(message)")
            }
            #expect(
                failure { try Destination(folder + "/none/").check(replacing: false) }?.message.string.contains(
                    "does not exist") == true)
            #expect(failure { try Destination(folder + "/x/").check(replacing: false) }?.status == .cannotCreate)
            try Destination(folder).check(replacing: false)
            try Destination(folder + "/new").check(replacing: false)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x"], "the check left a file")
        }
    }

    @Test("In a folder, the file has the export's name, and a name from the service cannot lead out of the folder")
    func destinations() throws {
        try withFolder { folder in
            #expect(Destination(nil).path(named: "a.xlsx") == "a.xlsx" && Destination("-").path(named: "a.xlsx") == nil)
            #expect(Destination(folder).path(named: "a.xlsx") == folder + "/a.xlsx")
            #expect(Destination(folder + "/").path(named: "../../etc/passwd") == folder + "/_.._.._etc_passwd.xlsx")
            #expect(
                Destination("none/").path(named: "/a") == "none/_a.xlsx"
                    && Destination("x.xlsx").path(named: "a") == "x.xlsx")
            #expect(Destination(nil).path(named: nil) == "administrators.xlsx")
            symlink(folder, folder + "/link")
            #expect(Destination(folder + "/link") == .folder(folder + "/link"))
        }
    }
}
