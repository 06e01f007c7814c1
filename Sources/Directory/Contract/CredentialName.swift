/// Recognizes names of columns that look like credentials. The names are all that a configuration and a catalogue show; a column with a
/// harmless name can still contain a secret, so the owner of the directory decides about its content.
package enum CredentialName {
    /// Parts of words that rarely occur in names of other columns. PostgreSQL folds an unquoted `passwordHash` to `passwordhash`.
    private static let stems = [
        "password", "passwd", "passwort", "passphrase", "passcode", "passkey", "kennwort", "contrasena", "contraseña",
        "secret", "token",
        "credential", "motdepasse", "bcrypt", "scrypt", "pbkdf", "backupcode", "recoverycode", "sessionid", "keytab",
        "keypair",
    ]
    /// Words that contain a part and mean something else: secretary, secretariat, tokenized.
    private static let harmlessStems = ["secretar", "tokeniz", "tokenis"]
    /// Words that rarely occur in names of other columns.
    private static let words: Set<String> = [
        "pwd", "pw", "pass", "userpass", "mdp", "hash", "digest", "jwt", "otp", "totp", "hotp", "recovery", "salt", "pepper",
        "nonce", "seed",
        "cookie", "bearer", "hmac", "cvv", "pin", "pem", "authenticator", "argon",
        "apikey", "accesskey", "authkey", "privatekey", "privkey", "secretkey", "signingkey", "sshkey", "masterkey",
        "encryptionkey",
    ]
    /// Words that name a credential together.
    private static let groups: [Set<String>] = [
        ["session", "id"], ["authentication", "string"], ["security", "answer"], ["magic", "link"], ["reset", "link"],
        ["oauth", "refresh"],
        ["mot", "passe"],
    ]
    /// Words that name a credential together with the word `key`: `api_key`, but not `employee_key`.
    private static let keyWords: Set<String> = [
        "access", "account", "aes", "api", "app", "application", "auth", "authentication", "backup", "client", "cipher",
        "consumer",
        "crypto", "decryption", "device", "ecdsa", "ed", "encryption", "fido", "gpg", "host", "integration", "license",
        "login", "master", "mfa", "oauth", "pgp", "private", "priv", "public", "root", "rsa", "server", "service", "session",
        "shared", "signing", "signature", "ssh", "ssl", "sso", "symmetric", "tls", "user", "webauthn", "webhook", "wrapped",
    ]
    /// Words that name a credential together with the word `code`.
    private static let codeWords: Set<String> = [
        "access", "activation", "auth", "backup", "emergency", "login", "mfa", "pin", "reset", "scratch", "security",
        "unlock",
        "verification",
    ]

    /// Whether the words of the name, between `_` and other separators or from one capital letter to the next, look like a credential.
    package static func matches(_ name: String) -> Bool {
        let words = Self.words(of: name).map(Self.singular)
        if words.contains(where: { Self.words.contains($0) || hasStem($0) }) { return true }
        if groups.contains(where: { $0.isSubset(of: words) }) { return true }
        if words.contains("key"), words.count == 1 || words.contains(where: keyWords.contains) { return true }
        return words.contains("code") && words.contains(where: codeWords.contains)
    }

    /// Whether a text in the definition of a view, such as the key of a document or a query, contains the name of a credential.
    ///
    /// Short texts are taken as names. In a sentence, words such as salt and recovery have other meanings.
    package static func isNamed(in text: String) -> Bool {
        let words = Self.words(of: text)
        return words.count <= 2 ? matches(text) : words.contains(where: hasStem)
    }

    private static func hasStem(_ word: String) -> Bool {
        stems.contains(where: word.contains) && !harmlessStems.contains(where: word.contains)
    }

    private static func singular(_ word: String) -> String {
        if word.hasSuffix("hashes") { return String(word.dropLast(2)) }
        return word.count > 3 && word.hasSuffix("s") && !word.hasSuffix("ss") ? String(word.dropLast()) : word
    }

    /// `APIKeyHash2` is api, key, hash: capitals begin a word, except within a run of capitals, and digits end one.
    private static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        let scalars = Array(name.unicodeScalars)
        func end() {
            if !word.isEmpty { words.append(word.lowercased()) }
            word = ""
        }
        for (index, scalar) in scalars.enumerated() {
            guard scalar.properties.isAlphabetic else {
                end()
                continue
            }
            let isCapital = scalar.properties.isUppercase
            let followsSmall = index > 0 && scalars[index - 1].properties.isLowercase
            let beginsSmall =
                index > 0 && index + 1 < scalars.count && scalars[index - 1].properties.isUppercase
                && scalars[index + 1].properties.isLowercase
            if isCapital, followsSmall || beginsSmall { end() }
            word.unicodeScalars.append(scalar)
        }
        end()
        return words
    }
}
