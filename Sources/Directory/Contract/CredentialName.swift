/// Recognizes names of columns that look like credentials. The names are all that a configuration and a catalogue show; a column with a
/// harmless name can still contain a secret, so the owner of the directory decides about its content.
package enum CredentialName {
    /// Words that rarely occur in names of other columns.
    private static let words: Set<String> = [
        "password", "passwd", "passwort", "pwd", "passphrase", "passcode", "pass", "pin", "hash", "digest", "secret",
        "token", "jwt", "otp",
        "totp", "hotp", "recovery", "salt", "pepper", "nonce", "seed", "credential", "cookie", "bearer", "hmac", "cvv",
        "apikey", "accesskey", "authkey", "privatekey", "secretkey", "signingkey", "sshkey", "keypair", "keytab", "privkey",
        "accesstoken", "refreshtoken", "sessiontoken", "authtoken", "apitoken", "apisecret", "clientsecret", "totpsecret",
        "otpsecret",
        "mfasecret", "passwordhash", "passhash", "pwhash", "userpassword", "sessionid",
    ]
    /// Words that name a credential together with the word `key`: `api_key`, but not `employee_key`.
    private static let keyWords: Set<String> = [
        "access", "account", "aes", "api", "app", "application", "auth", "authentication", "backup", "client", "cipher",
        "consumer",
        "crypto", "decryption", "device", "ecdsa", "ed25519", "encryption", "fido", "gpg", "host", "hmac", "host",
        "integration", "license",
        "login", "master", "mfa", "oauth", "pgp", "private", "priv", "public", "root", "rsa", "secret", "server", "service",
        "session",
        "shared", "signing", "signature", "ssh", "ssl", "sso", "symmetric", "tls", "token", "totp", "user", "webauthn",
        "webhook", "wrapped",
    ]
    /// Words that name a credential together with the word `code` or `codes`.
    private static let codeWords: Set<String> = [
        "access", "auth", "backup", "emergency", "login", "mfa", "one", "otp", "recovery", "reset", "scratch", "security",
        "unlock",
        "verification",
    ]

    /// Whether the words of the name, between `_` and other separators or from one capital letter to the next, look like a credential.
    package static func matches(_ name: String) -> Bool {
        let words = Self.words(of: name).map(Self.singular)
        if words.contains(where: Self.words.contains) { return true }
        if words.contains("key"), words.count == 1 || words.contains(where: keyWords.contains) { return true }
        return words.contains("code") && words.contains(where: codeWords.contains)
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
