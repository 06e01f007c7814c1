import Foundation

/// Where the pages are.
enum Paths {
    static let accounts = "/administrators/accounts"
    static let export = "/administrators/accounts/export"
    static let exports = "/administrators/exports"
    static let signIn = "/sign-in"
    static let signOut = "/sign-out"
    static let language = "/language"

    /// A path with a query, as forms make it.
    static func link(_ path: String, _ fields: [(name: String, value: String)]) -> String {
        guard !fields.isEmpty else { return path }
        var components = URLComponents()
        components.queryItems = fields.map { URLQueryItem(name: $0.name, value: $0.value) }
        // A plus is a space to whoever reads a form's query.
        return path + "?" + (components.percentEncodedQuery ?? "").replacing("+", with: "%2B")
    }

    /// Whether it leads to a page of this console, with whatever query: not to another host, and with nothing that a header may not
    /// have. One look at each byte, for it is anybody's text.
    static func isOwn(_ path: String) -> Bool {
        guard path.utf8.count <= 2_000, path.hasPrefix("/"), !path.hasPrefix("//") else { return false }
        return path.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/-?&=%+._~".utf8.contains(byte)
            }
        }
    }
}
