internal import ArgumentParser
private import Evidence
private import Foundation
private import SystemPackage

/// Makes the key with which workers sign receipts.
struct MakeKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-key", abstract: "Make the key with which workers sign the receipts of workbooks.",
        discussion: """
            The command writes the private key, which only workers may have, and the public key, with which everybody can verify \
            receipts. It needs neither a configuration nor a database.

            If there is a private key already, --replace makes a new one. The public key of the former one gets the line "Status: \
            retired": receipts that it has signed remain valid. If somebody else may have the private key, write "Status: revoked" into \
            that file instead: then nothing that it has signed is valid.
            """)

    @Option(
        name: .customLong("private"), help: "The file for the private key: the credential signing-key of the workers.",
        completion: .file())
    var privateKey = "/etc/credstore/adminexport.signing-key"

    @Option(name: .customLong("public"), help: "The folder for the public key.", completion: .directory)
    var publicKeys = KeyFolder.standard

    @Flag(help: "Replace the private key, and retire its public key.")
    var replace = false

    func run() async throws {
        try await reportingFaults {
            do {
                try make()
            } catch let fault as EvidenceFault {
                throw ConfigurationFault(fault.description)
            }
        }
    }

    private func make() throws {
        let former = try formerKey()
        guard former == nil || replace else {
            throw ConfigurationFault(
                "\(privateKey) contains a key already; --replace makes a new key and retires this one")
        }
        let known = try KeyFolder(publicKeys).load()
        let key = SigningKey()
        let file = "\(publicKeys)/\(key.verificationKey.id.prefix(16)).pem"
        try Self.createFolder(of: privateKey, mode: 0o700)
        try Self.createFolder(publicKeys, mode: 0o755)
        // First: a worker with the new key must not sign what nobody can verify.
        try Self.write(key.verificationKey.file, to: file, mode: 0o644)
        try Self.write(key.pem, to: privateKey, mode: 0o600)
        print("Made the signing key \(key.verificationKey.id).")
        print("Private key: \(privateKey)")
        print("Public key:  \(file)")
        for (path, retired) in known
        where former?.verificationKey.isSameKey(as: retired) == true && retired.status == .active {
            try Self.write(retired.with(.retired).file, to: path, mode: 0o644)
            print("Retired:     \(path)")
        }
        print(
            "Now restart the workers, which read the key when they start, and reload the service, which shows the public keys:"
        )
        print("  systemctl restart 'adminexport-worker@*'")
        print("  systemctl reload adminexport")
    }

    private func formerKey() throws -> SigningKey? {
        guard FileSystem.exists(privateKey) else { return nil }
        guard let text = try? String(contentsOfFile: privateKey, encoding: .utf8) else {
            throw ConfigurationFault("\(privateKey) exists and cannot be read; run the command as root")
        }
        do {
            return try SigningKey(pem: text)
        } catch {
            throw ConfigurationFault("\(privateKey) is not a signing key (\(error)); move it away, or name another file")
        }
    }

    private static func createFolder(of path: String, mode: Int) throws {
        let folder = FilePath(path).removingLastComponent().string
        if !folder.isEmpty { try createFolder(folder, mode: mode) }
    }

    private static func createFolder(_ path: String, mode: Int) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch {
            throw ConfigurationFault("the folder \(path) cannot be created; run the command as root, or name another folder")
        }
    }

    /// Writes a whole file or nothing.
    private static func write(_ text: String, to path: String, mode: CModeT) throws {
        let partial = FilePath("\(path).\(UUID().uuidString)")
        do {
            let file = try FileDescriptor.open(
                partial, .writeOnly, options: [.create, .exclusiveCreate, .noFollow],
                permissions: FilePermissions(rawValue: CModeT(mode)))
            try file.closeAfter {
                try file.writeAll(text.utf8)
                guard fchmod(file.rawValue, mode) == 0, fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            try FileManager.default.moveOver(partial.string, path)
        } catch {
            try? FileManager.default.removeItem(atPath: partial.string)
            throw ConfigurationFault("\(path) cannot be written: \(error); run the command as root, or name another path")
        }
    }
}

extension FileManager {
    /// Gives a file the name of another one, which it replaces.
    fileprivate func moveOver(_ source: String, _ target: String) throws {
        // SAFETY: the system reads the paths during the call.
        guard unsafe rename(source, target) == 0 else { throw Errno(rawValue: errno) }
    }
}
