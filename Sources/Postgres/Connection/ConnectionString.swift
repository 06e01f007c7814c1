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
    package static func hasPassword(_ text: String) -> Bool { values(text)["password"] != nil }

    /// Whether the two name the same server and login, whatever the database. Two ways to write one server count as two.
    package static func haveOneLogin(_ one: String, _ other: String) -> Bool {
        let (one, other) = (values(one), values(other))
        return ["service", "host", "hostaddr", "port", "user"].allSatisfy { one[$0] == other[$0] }
    }

    /// What is given, by keyword.
    private static func values(_ text: String) -> [String: String] {
        guard let options = PQconninfoParse(text, nil) else { return [:] }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}
