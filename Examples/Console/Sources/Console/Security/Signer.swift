import Crypto
import Foundation

/// Signs values that browsers store, so that only the console can create them (HMAC-SHA256, RFC 2104).
struct Signer: Sendable {
    private let key: SymmetricKey

    init(key: Data) {
        self.key = SymmetricKey(data: key)
    }

    /// The value and its code, in characters that a cookie may contain (RFC 6265, 4.1.1).
    func sign(_ value: Data, for purpose: String) -> String {
        "\(value.base64URL).\(code(value, for: purpose).base64URL)"
    }

    /// The signed value; nil if the signature is invalid or is for another purpose.
    func open(_ text: String, for purpose: String) -> Data? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let value = Data(base64URL: parts[0]), let code = Data(base64URL: parts[1]) else {
            return nil
        }
        let isRight = HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: Self.bound(value, to: purpose), using: key)
        return isRight ? value : nil
    }

    func code(_ value: Data, for purpose: String) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: Self.bound(value, to: purpose), using: key))
    }

    /// Compares two strings. The time does not depend on the position where they differ.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        let key = SymmetricKey(size: .bits256)
        let code = HMAC<SHA256>.authenticationCode(for: Data(left.utf8), using: key)
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Data(right.utf8), using: key)
    }

    /// The code is valid only for this purpose.
    private static func bound(_ value: Data, to purpose: String) -> Data {
        Data(purpose.utf8) + [0] + value
    }
}

extension Data {
    /// RFC 4648, section 5, without padding.
    var base64URL: String {
        base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    init?(base64URL text: some StringProtocol) {
        guard text.utf8.allSatisfy({ $0.isBase64URL }) else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        self.init(base64Encoded: String(text).replacing("-", with: "+").replacing("_", with: "/") + padding)
    }
}

extension UInt8 {
    fileprivate var isBase64URL: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
