internal import Directory
private import Exports
internal import Yams

/// The list `attributes` of the configuration file.
extension ConfigurationFile {
    /// Excel's tables have at most 255 characters in a header.
    private static let maxTitle = 255
    private static let maxAttributes = 100
    /// The longest name of a column in PostgreSQL, in bytes.
    private static let maxColumn = 63

    /// - Throws: ``ConfigurationFault`` that names the line.
    static func attributes(_ node: Node) throws -> [Attribute] {
        guard node.null == nil else { return [] }
        guard let sequence = node.sequence else { throw fault(node, "attributes must be a list") }
        guard sequence.count <= maxAttributes else {
            throw fault(
                node, "attributes has \(sequence.count) items, but at most \(maxAttributes) are allowed; remove some")
        }
        var attributes: [Attribute] = []
        for item in sequence {
            let attribute = try attribute(item)
            if let other = attributes.first(where: { isSame($0.title, attribute.title) }) {
                throw fault(
                    item, "the title \"\(attribute.title)\" is also in line \(other.line); each column needs its own title")
            }
            if let other = attributes.first(where: { $0.column == attribute.column }) {
                throw fault(item, "the column \(attribute.column) is also in line \(other.line); remove one of them")
            }
            attributes.append(attribute)
        }
        return attributes
    }

    private static func attribute(_ item: Node) throws -> Attribute {
        let form =
            "write {column: ..., title: ..., type: ...}; permission and reviewed are optional"
        guard let mapping = item.mapping else { throw fault(item, "an attribute is a map; \(form)") }
        var texts: [String: (text: String, node: Node)] = [:]
        for (key, value) in mapping {
            let name = key.string ?? ""
            guard ["column", "title", "type", "permission", "reviewed"].contains(name) else {
                throw fault(key, "unknown key \"attributes.\(name)\"; \(form)")
            }
            guard let text = value.scalar?.string, value.null == nil else {
                throw fault(value, "attributes.\(name) must have one value")
            }
            texts[name] = (text, value)
        }
        func text(_ name: String) throws -> (text: String, node: Node) {
            guard let value = texts[name] else { throw fault(item, "the attribute lacks \(name); \(form)") }
            return value
        }
        let (column, columnNode) = try text("column")
        let (title, titleNode) = try text("title")
        try check(title: title, titleNode)
        let (type, typeNode) = try text("type")
        guard let kind = Attribute.Kind(rawValue: type) else {
            let kinds = Attribute.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw fault(typeNode, "attributes.type is \"\(type)\", but must be one of \(kinds)")
        }
        if let (permission, node) = texts["permission"], permission.isEmpty || permission.utf8.contains(0) {
            throw fault(
                node,
                "attributes.permission is empty or contains NUL; write the name of a permission, or remove the key if every administrator who exports may see the column"
            )
        }
        let isReviewed = try texts["reviewed"].map { value -> Bool in
            guard let isReviewed = Bool(value.text) else {
                throw fault(value.node, "attributes.reviewed is \"\(value.text)\", but must be true or false")
            }
            return isReviewed
        }
        let attribute = Attribute(
            column: column, title: title, kind: kind, permission: texts["permission"]?.text,
            isReviewed: isReviewed ?? false, line: item.mark?.line ?? 1)
        try check(attribute, columnNode)
        return attribute
    }

    private static func check(_ attribute: Attribute, _ node: Node) throws {
        let column = attribute.column
        let isVisible = column.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard !column.isEmpty, column.utf8.count <= maxColumn, isVisible else {
            throw fault(node, "attributes.column must be the name of a column, of 1 to \(maxColumn) bytes")
        }
        if ContractColumn.all.contains(where: { $0.relation == "administrator" && $0.name == column }) {
            throw fault(
                node, "each export already reads the column \(column); remove it from attributes")
        }
        guard CredentialName.matches(column) else { return }
        switch attribute.kind {
        case .text, .list:
            throw fault(
                node,
                "the name of the column \(column) looks like that of a credential, which adminexport never exports; if the column contains no credential, rename it in the view directory.administrator, and add reviewed: true to the declaration"
            )
        case .date, .datetime, .boolean:
            // These contain no credential: password_changed_at.
            guard !attribute.isReviewed else { return }
            throw fault(
                node,
                "the name of the column \(column) looks like that of a credential, which adminexport never exports; if the column contains none, add reviewed: true to the declaration"
            )
        }
    }

    private static func check(title: String, _ node: Node) throws {
        // The joiners of emoji and of some scripts are the only format characters that a title needs.
        let isVisible = title.unicodeScalars.allSatisfy {
            ![.control, .lineSeparator, .paragraphSeparator, .format].contains($0.properties.generalCategory)
                || (0x200C...0x200D).contains($0.value)
        }
        guard
            title.unicodeScalars.contains(where: {
                !$0.properties.isWhitespace && !$0.properties.isDefaultIgnorableCodePoint
            }), title.utf16.count <= maxTitle, isVisible
        else {
            throw fault(
                node,
                "attributes.title must be one line of 1 to \(maxTitle) characters (UTF-16 units), without control and invisible characters"
            )
        }
        if let fixed = fixedTitles.first(where: { isSame($0, title) }) {
            throw fault(node, "each workbook has a column with the title \"\(fixed)\" already; choose another title")
        }
    }

    /// Excel does not distinguish the case of headers.
    private static func isSame(_ one: String, _ other: String) -> Bool { one.lowercased() == other.lowercased() }

    private static let fixedTitles = AdministratorsSheet.fixedTitles
}
