internal import JSONRPC

/// What every text that a caller sends has to hold to before it goes anywhere.
enum TextParam {
    /// - Parameter longest: in Unicode scalars; characters as people count them have no limit of their own.
    /// - Throws: ``RPCError`` −32602
    static func check(_ text: String, _ param: String, longest: Int) throws(RPCError) {
        guard (1...longest).contains(text.unicodeScalars.count), !text.unicodeScalars.contains("\0") else {
            throw .invalidParams(param, "\(param) has 1 to \(longest) characters, and no NUL.")
        }
    }
}
