import Directory
import Testing

@Suite struct CredentialNameTests {
    @Test(
        "Names of credentials are recognized by their words, in any case, in the plural, and with capital letters for new words",
        arguments: [
            "password", "PASSWORD", "passwords", "password_hash", "passwd", "user_passwd", "pwd", "passphrase", "hash",
            "hashes", "pw_hash",
            "secret", "client_secret", "totp_secret", "totp", "otp", "otp_seed", "token", "access_token", "refresh_tokens",
            "session_token",
            "api_key", "API_KEYS", "apiKey", "APIKey", "apikey", "private_key", "ssh_public_keys", "key", "recovery",
            "recovery_codes",
            "backup_codes", "recoveryCode", "salt", "password2", "passwordHash", "accessToken", "2fa_secret", "user-token",
            "user token",
            "credential", "credentials_json", "pin", "jwt", "session_cookie", "hashedpassword", "encryptedpassword",
            "passworddigest", "rolpassword",
            "resettoken", "twofactorsecret", "backupcodes", "userpass", "passkey", "user_passkeys", "session_id",
            "authentication_string",
            "security_answer", "bcrypt", "pw", "oauth2_refresh", "private_pem", "magic_link", "activation_code",
            "mot_de_passe", "motdepasse", "mdp",
            "kennwort", "argon2", "argon2_id", "pbkdf2", "backup-codes", "session-id", "security answer",
            "{security,answer}", "contraseña", "authenticator",
        ])
    func credentials(_ name: String) {
        #expect(CredentialName.matches(name))
    }

    @Test(
        "Other names pass, even if they contain the letters of such a word",
        arguments: [
            "employee_key", "employeeKey", "external_key", "keyboard_layout", "monkey", "secretary", "secretariat",
            "hashtag", "tokenized",
            "saltire", "basalt", "last_sign_in_at", "mfa_enabled", "sso_provider", "job_title", "cost_center", "postal_code",
            "country_code", "department_code", "passport_country", "compass", "pinned", "recovered_at", "status", "locale",
            "phone_2", "opinion", "oauth_provider", "session_count", "authentication_method", "reset_at", "link",
            "tokenizer", "hotpot", "signing_authority", "keys_issued_count_of_doors", "",
        ])
    func others(_ name: String) {
        #expect(!CredentialName.matches(name))
    }

    @Test(
        "In a text of a definition, a short name counts as a name, and of a sentence only the unambiguous words",
        arguments: [
            ("'password_hash'", true), ("'api-key'", true), ("'pin'", true), ("'SELECT a, b, password_hash FROM x'", true),
            ("'Salt Lake City'", false),
            ("'Disaster Recovery Lead'", false), ("'enabled'", false), ("' / '", false), ("''", false),
        ])
    func texts(_ text: String, _ isNamed: Bool) {
        #expect(CredentialName.isNamed(in: text) == isNamed)
    }
}
