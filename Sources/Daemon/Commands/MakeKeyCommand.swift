internal import ArgumentParser
private import Evidence
private import Foundation
private import SystemPackage

/// Makes the key with which workers sign receipts and checkpoints.
struct MakeKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-key",
        abstract: "Make the key with which workers sign the receipts of workbooks and the checkpoints of the audit trail.",
        discussion: """
            The command writes the private key, which only workers may have, and the public key, with which everybody can verify \
            receipts. It needs neither a configuration nor a database.

            If there is a private key already, --replace makes a new one. The public key of the former one gets the line "Status: \
            retired": receipts that it has signed remain valid. If somebody else may have the private key, write "Status: revoked" into \
            that file instead: then no receipt that it has signed is valid.
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
                let made = try KeyFiles(privateKey: privateKey, publicKeys: publicKeys).make(replacing: replace)
                print("Made the signing key \(made.id).")
                print("Private key: \(made.privateKey)")
                print("Public key:  \(made.publicKey)")
                if let retired = made.retired { print("Retired:     \(retired)") }
                print(
                    "Now restart the workers, which read the key when they start, and reload the service, which shows the public keys:"
                )
                print("  systemctl restart 'adminexport-worker@*'")
                print("  systemctl reload adminexport")
            } catch let fault as EvidenceFault {
                throw ConfigurationFault(fault.description)
            }
        }
    }
}

/// The files of a signing key. All are written under other names first, so that a failure leaves everything as it was.
///
/// SAFETY, for every `unsafe` here: the system reads paths and fills one structure during the call. The path that realpath(3) allocates is
/// copied and freed once.
private struct KeyFiles {
    let privateKey: String
    let publicKeys: String

    /// The paths of the files that were written.
    struct Made {
        let id: String
        let privateKey: String
        let publicKey: String
        let retired: String?
    }

    /// A file that has its content and not yet its name.
    private struct Prepared {
        let partial: String
        let path: String
    }

    func make(replacing: Bool) throws -> Made {
        let target = try Self.target(privateKey)
        let folder = Self.folder(of: target)
        guard !(target.lowercased().hasSuffix(".pem") && Self.isSame(folder, publicKeys)) else {
            throw ConfigurationFault("the private key must not be among the public keys; name another file with --private")
        }
        try Self.createFolder(folder, mode: 0o700)
        try Self.createFolder(publicKeys, mode: 0o755)
        // Held until the process ends.
        let lock = try FileDescriptor.open(FilePath(publicKeys), .readOnly, options: .directory)
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw ConfigurationFault(
                "another adminexportd make-key writes to \(publicKeys); run the command again when it has ended")
        }
        let former = try Self.formerKey(target)
        guard former == nil || replacing else {
            throw ConfigurationFault("\(target) contains a key already; --replace makes a new key and retires this one")
        }
        let known = try KeyFolder(publicKeys).load()
        let key = SigningKey()
        var prepared: [Prepared] = []
        do {
            prepared.append(try Self.prepare(key.pem, target, mode: 0o600))
            let publicKey = "\(publicKeys)/\(key.verificationKey.id.prefix(16)).pem"
            prepared.append(try Self.prepare(key.verificationKey.file, publicKey, mode: 0o644))
            if let former, let retired = try retire(former.verificationKey, known) { prepared.append(retired) }
            // The public key first: a worker with the new key must not sign what nobody can verify.
            try Self.rename(prepared[1])
            do {
                try replacing ? Self.rename(prepared[0]) : Self.link(prepared[0])
            } catch {
                unsafe unlink(publicKey)
                throw error
            }
            let retired = prepared.count > 2 ? prepared[2] : nil
            if let retired {
                do {
                    try Self.rename(retired)
                } catch {
                    throw ConfigurationFault(
                        "the new key \(key.verificationKey.id) is in force, but \(error); write Status: retired into that file yourself"
                    )
                }
            }
            for folder in [folder, publicKeys] { Self.synchronize(folder) }
            return Made(id: key.verificationKey.id, privateKey: target, publicKey: publicKey, retired: retired?.path)
        } catch {
            for file in prepared { unsafe unlink(file.partial) }
            throw error
        }
    }

    /// The file of a former public key with the status `retired`. It is made if it is missing: the receipts of the key remain valid.
    private func retire(_ key: VerificationKey, _ known: [(path: String, key: VerificationKey)]) throws -> Prepared? {
        guard let own = known.first(where: { $0.key.isSameKey(as: key) }) else {
            return try Self.prepare(key.with(.retired).file, "\(publicKeys)/\(key.id.prefix(16)).pem", mode: 0o644)
        }
        guard own.key.status == .active else { return nil }
        let path = try Self.target(own.path)
        var status = stat()
        guard let text = try? String(contentsOfFile: path, encoding: .utf8), unsafe stat(path, &status) == 0 else {
            throw ConfigurationFault("\(path) cannot be read; check its mode")
        }
        let file = try Self.prepare(VerificationKey.text(text, with: .retired), path, mode: status.st_mode & 0o777)
        _ = unsafe chown(file.partial, status.st_uid, status.st_gid)
        return file
    }

    private static func formerKey(_ path: String) throws -> SigningKey? {
        guard FileSystem.exists(path) else { return nil }
        let bytes: [UInt8]?
        do throws(InputFile.Unreadable) {
            var file = try InputFile(path, .regular)
            bytes = try file.contents(maxBytes: 65_536)
        } catch {
            throw ConfigurationFault(
                "\(path) exists and cannot be read (\(error.reason)); run the command as root, or name another file")
        }
        do {
            return try SigningKey(pem: String(decoding: bytes ?? [], as: UTF8.self))
        } catch {
            throw ConfigurationFault("\(path) is not a signing key (\(error)); move it away, or name another file")
        }
    }

    /// The path to which a path leads: a link stays, and its target is replaced.
    private static func target(_ path: String) throws -> String {
        guard !path.isEmpty, !path.hasSuffix("/") else { throw ConfigurationFault("--private must name a file") }
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
        guard let real = unsafe realpath(path, nil) else {
            throw ConfigurationFault(
                "\(path) is a link to a file that does not exist; mount or create it, or remove the link")
        }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func folder(of path: String) -> String {
        let folder = FilePath(path).removingLastComponent().string
        return folder.isEmpty ? "." : folder
    }

    private static func isSame(_ first: String, _ second: String) -> Bool {
        var (one, other) = (stat(), stat())
        return unsafe stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_ino == other.st_ino
            && one.st_dev == other.st_dev
    }

    private static func createFolder(_ path: String, mode: Int) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
        } catch {
            throw ConfigurationFault("the folder \(path) cannot be created; run the command as root, or name another folder")
        }
    }

    private static func prepare(_ text: String, _ path: String, mode: CModeT) throws -> Prepared {
        let partial = "\(path).\(UUID().uuidString)"
        do {
            let file = try FileDescriptor.open(
                FilePath(partial), .writeOnly, options: [.create, .exclusiveCreate, .noFollow],
                permissions: FilePermissions(rawValue: mode))
            try file.closeAfter {
                try file.writeAll(text.utf8)
                guard fchmod(file.rawValue, mode) == 0, fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            return Prepared(partial: partial, path: path)
        } catch {
            unsafe unlink(partial)
            throw failure(path, error)
        }
    }

    private static func rename(_ file: Prepared) throws {
        guard unsafe Foundation.rename(file.partial, file.path) == 0 else {
            throw failure(file.path, Errno(rawValue: errno))
        }
    }

    /// Gives a file its name, unless another file has it.
    private static func link(_ file: Prepared) throws {
        guard unsafe Foundation.link(file.partial, file.path) == 0 else { throw failure(file.path, Errno(rawValue: errno)) }
        unsafe unlink(file.partial)
    }

    private static func synchronize(_ folder: String) {
        guard let descriptor = try? FileDescriptor.open(FilePath(folder), .readOnly, options: .directory) else { return }
        fsync(descriptor.rawValue)
        try? descriptor.close()
    }

    private static func failure(_ path: String, _ error: any Error) -> ConfigurationFault {
        ConfigurationFault(
            "\(path) cannot be written: \(error); check the folder, its owner and its free space, or name another path")
    }
}
