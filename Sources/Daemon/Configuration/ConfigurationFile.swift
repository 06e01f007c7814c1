internal import Directory
private import Foundation
private import Postgres
internal import Yams

/// The contents of the configuration file. An unknown key is a fault that names its line.
struct ConfigurationFile {
    /// The values, by the names of ``ConfigurationKey/all``.
    private(set) var values: [String: String] = [:]
    private(set) var callers: [CallerEntry] = []
    private(set) var attributes: [Attribute] = []
    /// What works and should be changed.
    private(set) var warnings: [String] = []

    /// One item of `callers`.
    struct CallerEntry: Decodable, Equatable {
        var user: String?
        var group: String?
        var tenants: TenantGrant.Tenants
        var grants: [Grant]

        private enum CodingKeys: String, CodingKey {
            case user, group, tenants, grants
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            user = try container.decodeIfPresent(String.self, forKey: .user)
            group = try container.decodeIfPresent(String.self, forKey: .group)
            grants = try container.decode([Grant].self, forKey: .grants)
            if let word = try? container.decode(String.self, forKey: .tenants) {
                guard word == "*" else {
                    throw DecodingError.dataCorruptedError(
                        forKey: .tenants, in: container, debugDescription: "tenants is a list or \"*\"")
                }
                tenants = .all
            } else {
                tenants = .some(try container.decode([Tenant].self, forKey: .tenants).map(\.name))
            }
        }

        /// An item of `tenants`: a slug, or `{key: …}`.
        private struct Tenant: Decodable {
            let name: TenantName

            private enum CodingKeys: String, CodingKey {
                case key
            }

            private struct AnyKey: CodingKey {
                let stringValue: String
                var intValue: Int? { nil }
                init(stringValue: String) { self.stringValue = stringValue }
                init?(intValue: Int) { nil }
            }

            init(from decoder: any Decoder) throws {
                if let slug = try? decoder.singleValueContainer().decode(String.self) {
                    name = .slug(slug)
                } else {
                    guard try decoder.container(keyedBy: AnyKey.self).allKeys.count == 1 else {
                        throw DecodingError.dataCorrupted(
                            .init(codingPath: decoder.codingPath, debugDescription: "a tenant has a key and nothing else"))
                    }
                    name = .key(try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .key))
                }
                // "*" is not an element of a list. PostgreSQL refuses a statement whose text contains NUL.
                let text =
                    switch name {
                    case .slug(let text), .key(let text): text
                    }
                guard name != .slug("*"), !text.isEmpty, !text.utf8.contains(0) else {
                    throw DecodingError.dataCorrupted(
                        .init(codingPath: decoder.codingPath, debugDescription: "the text does not name a tenant"))
                }
            }
        }
    }

    /// - Throws: ``ConfigurationFault`` that names the file and the line.
    init(path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationFault(
                "the configuration file \(path) cannot be read as UTF-8 text; check its path, mode and content")
        }
        do {
            try self.init(yaml: text)
        } catch let fault as ConfigurationFault {
            throw ConfigurationFault("\(path): \(fault)")
        }
        var status = stat()
        // SAFETY: the system reads the path and fills one structure.
        let isReadableByAll = unsafe stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
        let hasPassword = ConfigurationKey.all.contains {
            $0.isSecret && values[$0.name].map(ConnectionString.hasPassword) == true
        }
        if isReadableByAll && hasPassword {
            warnings.append(
                "every user can read the password in \(path); store it as the credential database-password, or change the file's mode"
            )
        }
    }

    /// The file at the default path, if it exists.
    static func standard() throws -> ConfigurationFile {
        let path = ServiceConfiguration.defaultFile
        return FileSystem.exists(path) ? try ConfigurationFile(path: path) : try ConfigurationFile(yaml: "")
    }

    init(yaml text: String) throws {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw ConfigurationFault(Self.describe(error))
        }
        guard let root, root.null == nil else { return }
        try read(root, prefix: "")
    }

    /// What and where, without the text around it, which may be a password.
    private static func describe(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line): the file is not YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, _):
            "the file contains a key twice: \(keys.map { "\($0)" }.joined(separator: ", "))"
        default:
            "the file is not YAML"
        }
    }

    private mutating func read(_ node: Node, prefix: String) throws {
        guard let mapping = node.mapping else {
            throw Self.fault(node, "\(prefix.isEmpty ? "the file" : prefix) must be a map of keys and values")
        }
        for (keyNode, value) in mapping {
            guard let word = keyNode.string else { throw Self.fault(keyNode, "a key must be a word") }
            let name = prefix.isEmpty ? word : "\(prefix).\(word)"
            if word.contains(".") {
                throw Self.fault(keyNode, "unknown key \"\(word)\"; write nested maps instead of a name with periods")
            } else if name == "callers" {
                callers = try Self.callers(value)
            } else if name == "attributes" {
                attributes = try Self.attributes(value)
            } else if ConfigurationKey.sections.contains(name) {
                try read(value, prefix: name)
            } else if let key = ConfigurationKey.named(name) {
                try set(key, try Self.text(of: value, name), at: keyNode)
            } else if let key = ConfigurationKey.all.first(where: { $0.former?.name == name }), let former = key.former {
                let text = try Self.text(of: value, name) + former.unit
                try set(key, text, at: keyNode)
                warnings.append("\(Self.fault(keyNode, "\(name) has a new name; write \(key.name): \(text) instead"))")
            } else {
                throw Self.fault(keyNode, "unknown key \"\(name)\"; adminexport.yaml(5) lists the keys")
            }
        }
    }

    private mutating func set(_ key: ConfigurationKey, _ text: String, at node: Node) throws {
        guard values.updateValue(text, forKey: key.name) == nil else {
            throw Self.fault(node, "\(key.name) is set twice, once by its former name; remove one of them")
        }
    }

    private static func text(of node: Node, _ name: String) throws -> String {
        guard let text = node.scalar?.string, node.null == nil else { throw fault(node, "\(name) must have one value") }
        return text
    }

    static func fault(_ node: Node, _ text: String) -> ConfigurationFault {
        ConfigurationFault("line \(node.mark?.line ?? 1): \(text)")
    }

    private static func callers(_ node: Node) throws -> [CallerEntry] {
        guard let sequence = node.sequence else {
            throw fault(node, "callers must be a list")
        }
        return try sequence.map { item in
            for (key, _) in item.mapping ?? [:] where !["user", "group", "tenants", "grants"].contains(key.string) {
                throw fault(
                    key, "unknown key \"callers.\(key.string ?? "")\"; a caller has user or group, tenants and grants")
            }
            for tenant in item.mapping?["tenants"]?.sequence ?? [] {
                // Slugs such as no and on are accepted as text. A key that YAML reads as null or as a truth value is probably an error.
                let key = tenant.mapping?["key"]
                let tag = (key ?? tenant).tag.description
                guard tag != "tag:yaml.org,2002:null", key == nil || tag != "tag:yaml.org,2002:bool" else {
                    throw fault(
                        key ?? tenant,
                        "a tenant is a slug or {key: ...}; write null, true and similar words in quotes if you mean text")
                }
            }
            let entry: CallerEntry
            do {
                entry = try YAMLDecoder().decode(CallerEntry.self, from: item)
            } catch {
                throw fault(
                    item,
                    "a caller is {user or group, tenants: \"*\" or a list of slugs and {key: ...}, grants: [export, operator]}"
                )
            }
            guard (entry.user == nil) != (entry.group == nil) else {
                throw fault(item, "a caller is either a user or a group")
            }
            return entry
        }
    }
}
