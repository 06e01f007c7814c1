import Foundation

/// The paths of the pages.
enum Paths {
    static let accounts = "/administrators/accounts"
    static let export = "/administrators/accounts/export"
    static let exports = "/administrators/exports"
    static let signIn = "/sign-in"
    static let signOut = "/sign-out"
    static let language = "/language"

    /// A path with a query in the encoding of forms.
    static func link(_ path: String, _ fields: [(name: String, value: String)]) -> String {
        guard !fields.isEmpty else { return path }
        var components = URLComponents()
        components.queryItems = fields.map { URLQueryItem(name: $0.name, value: $0.value) }
        // In a form's query, a plus is a space.
        return path + "?" + (components.percentEncodedQuery ?? "").replacing("+", with: "%2B")
    }

    /// Whether the path leads to a page of this console, with any query: not to another host, and without characters that a header
    /// must not contain. The check reads each byte once, because the text comes from outside.
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
