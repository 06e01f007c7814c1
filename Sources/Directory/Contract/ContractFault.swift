/// A violation of the directory's contract, and how to correct it. It contains names of relations, columns and roles, and keys;
/// no other data.
package struct ContractFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong. The text names the relation and, for a fault of a column, the column.
    package let problem: String
    /// What to do: a statement, if one is enough.
    package let remedy: String
    /// Whether other sessions see this fault while somebody recreates a view, so that it may end in a moment.
    package let mayPass: Bool
    /// Whether the column decides who may export. While it is wrong, a denial may be wrong, too.
    package var decidesPermission = false
    /// Whether a declaration in `attributes` causes the fault. No process starts with such a fault.
    package var isOfConfiguration = false

    /// A fault with a remedy.
    package init(_ problem: String, _ remedy: String, mayPass: Bool = false) {
        self.problem = problem
        self.remedy = remedy
        self.mayPass = mayPass
    }

    /// The problem and the remedy.
    package var description: String { "\(problem): \(remedy)" }
}

extension ContractFault {
    static let migrateGrants = "adminexportd migrate --grant-directory grants all that the service reads"

    static func missing(relation: String) -> ContractFault {
        ContractFault(
            "the relation directory.\(relation) does not exist",
            "create a view of this name, or run adminexportd migrate --with-directory", mayPass: true)
    }

    /// A fault of a declaration in `attributes`.
    static func attribute(_ attribute: Attribute, _ problem: String, _ remedy: String) -> ContractFault {
        var fault = ContractFault("\(attribute.place): \(problem)", remedy, mayPass: true)
        fault.isOfConfiguration = true
        return fault
    }

    static func missing(column: ContractColumn) -> ContractFault {
        ContractFault(
            "the column directory.\(column.label) does not exist",
            "add the column to the view of directory.\(column.relation)",
            mayPass: true)
    }

    /// The fault for a row without a required value.
    ///
    /// - Parameter key: the key of the row, if it has one.
    package static func null(_ relation: String, _ column: String, key: String? = nil) -> ContractFault {
        let row = key.flatMap { isShown($0) ? "the row \($0)" : nil } ?? "a row"
        return ContractFault(
            "\(row) of directory.\(relation) has no \(column)", "add the value, or omit the row from the view")
    }

    /// Whether a key may be shown: a key that is text may be somebody's e-mail address.
    private static func isShown(_ key: String) -> Bool {
        !key.contains("@") && key.unicodeScalars.count <= 64 && key.unicodeScalars.allSatisfy { $0.value > 31 }
    }

    /// The fault for two rows that have the same key.
    ///
    /// - Parameters:
    ///   - column: the column that must differ.
    ///   - key: the value; not shown if it may be an e-mail address.
    package static func doubled(_ relation: String, _ column: String, _ key: String) -> ContractFault {
        ContractFault(
            "two rows of directory.\(relation) have the same \(column)\(isShown(key) ? " \(key)" : "")"
                + (relation == "tenant" ? "" : " in one tenant"),
            "change the view so that it returns one row for each; a join that matches several rows (two phones of a person) duplicates them"
        )
    }
}
