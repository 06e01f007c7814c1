internal import Evidence

/// The public keys with which a command verifies: those that it was given, or those of the installation.
enum KnownKeys {
    private static let maxKeys = 100

    /// - Parameter paths: the keys of the command line; empty for ``KeyFolder/standard``. Keys that the folder revokes are revoked in any case.
    /// - Throws: ``EvidenceFault`` if a key cannot be used, or if there is none.
    static func load(_ paths: [String]) throws(EvidenceFault) -> [(path: String, key: VerificationKey)] {
        guard paths.isEmpty else {
            guard paths.count <= maxKeys else {
                throw EvidenceFault(.unusableKey, "there are more than \(maxKeys) keys; name fewer with --key")
            }
            var keys: [(path: String, key: VerificationKey)] = []
            for path in paths { keys.append((path, try KeyFolder.key(path))) }
            return keys + KeyFolder(KeyFolder.standard).content().keys.filter { $0.key.status == .revoked }
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
