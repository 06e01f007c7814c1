internal import Evidence

/// The public keys with which a command verifies: those that it was given, or those of the installation.
enum KnownKeys {
    /// - Parameter paths: the keys of the command line; empty for ``KeyFolder/standard``.
    /// - Throws: ``EvidenceFault`` if a key cannot be used, or if there is none.
    static func load(_ paths: [String]) throws(EvidenceFault) -> [(path: String, key: VerificationKey)] {
        guard paths.isEmpty else {
            var keys: [(path: String, key: VerificationKey)] = []
            for path in paths { keys.append((path, try KeyFolder.key(path))) }
            return keys
        }
        let keys = try KeyFolder(KeyFolder.standard).load()
        guard !keys.isEmpty else {
            throw EvidenceFault(
                .noKey,
                "there is no public key in \(KeyFolder.standard); get the key from the operators of the service, and name it with --key"
            )
        }
        return keys
    }
}
