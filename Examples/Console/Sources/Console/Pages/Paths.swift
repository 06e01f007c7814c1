/// Where the pages are.
enum Paths {
    static let accounts = "/administrators/accounts"
    static let export = "/administrators/accounts/export"
    static let exports = "/administrators/exports"
    static let signIn = "/sign-in"
    static let signOut = "/sign-out"
    static let language = "/language"
}
