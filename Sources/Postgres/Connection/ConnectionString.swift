private import CLibPQ

/// Questions about a libpq connection string that can be answered without connecting.
package enum ConnectionString {
    /// What is wrong with it, or nil. The text quotes no value.
    package static func fault(_ text: String) -> String? {
        guard let options = PQconninfoParse(text, nil) else {
            return "it is neither a libpq URI (postgresql://…) nor a list of key=value"
        }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "port", let value = option.pointee.val,
                !String(cString: value).split(separator: ",").allSatisfy({ UInt16($0) != nil })
            {
                return "its port is not a number; a / or @ in a password is written %2F or %40"
            }
            option += 1
        }
        return nil
    }

    /// Whether it holds a password.
    package static func hasPassword(_ text: String) -> Bool {
        guard let options = PQconninfoParse(text, nil) else { return false }
        defer { PQconninfoFree(options) }
        var option = options
        while let keyword = option.pointee.keyword {
            if String(cString: keyword) == "password", option.pointee.val != nil { return true }
            option += 1
        }
        return false
    }
}
