internal import Directory
private import Foundation
internal import Yams

/// The configuration file: a strict reading of YAML. A key that is not known is a fault with its line.
struct ConfigurationFile: Equatable {
    /// The scalars, by their dotted names: `database.url`.
    var scalars: [String: String] = [:]
    var callers: [CallerEntry] = []
    /// By its mode.
    var isReadableByAll = false

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
                        forKey: .tenants, in: container, debugDescription: "tenants is a list, or \"*\"")
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
                // "*" stands by itself, not in a list. NUL is in no text of PostgreSQL's, which refuses the statement that has it.
                let text =
                    switch name {
                    case .slug(let text), .key(let text): text
                    }
                guard name != .slug("*"), !text.isEmpty, !text.utf8.contains(0) else {
                    throw DecodingError.dataCorrupted(
                        .init(codingPath: decoder.codingPath, debugDescription: "that names no tenant"))
                }
            }
        }
    }

    init() {}

    /// - Throws: ``ConfigurationFault`` naming the file and the line.
    init(path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationFault(
                "the configuration file \(path) cannot be read as UTF-8 text: check its path, mode and content")
        }
        do {
            try self.init(yaml: text)
        } catch let fault as ConfigurationFault {
            throw ConfigurationFault("\(path): \(fault)")
        }
        var status = stat()
        isReadableByAll = stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
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

    /// What and where, without the text around it: that may be a password.
    private static func describe(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line): this is not YAML: \(problem)"
        case .duplicatedKeysInMapping(let keys, _):
            "a key stands twice: \(keys.map { "\($0)" }.joined(separator: ", "))"
        default:
            "this is not YAML"
        }
    }

    private mutating func read(_ node: Node, prefix: String) throws {
        guard let mapping = node.mapping else {
            throw ConfigurationFault(
                "line \(Self.line(node)): \(prefix.isEmpty ? "the file" : prefix) is a map of keys and values")
        }
        for (keyNode, value) in mapping {
            guard let key = keyNode.string else { throw ConfigurationFault("line \(Self.line(keyNode)): a key is a word") }
            let name = prefix.isEmpty ? key : "\(prefix).\(key)"
            guard !key.contains(".") else {
                throw ConfigurationFault(
                    "line \(Self.line(keyNode)): there is no key \(key); nest the words instead of joining them with points")
            }
            if name == "callers" {
                callers = try Self.callers(value)
            } else if ConfigurationKey.sections.contains(name) {
                try read(value, prefix: name)
            } else if ConfigurationKey(rawValue: name) != nil {
                guard let text = value.scalar?.string, value.null == nil else {
                    throw ConfigurationFault("line \(Self.line(value)): \(name) is one value")
                }
                scalars[name] = text
            } else {
                throw ConfigurationFault(
                    "line \(Self.line(keyNode)): there is no key \(name); man adminexport.yaml has those there are")
            }
        }
    }

    private static func callers(_ node: Node) throws -> [CallerEntry] {
        guard let sequence = node.sequence else {
            throw ConfigurationFault("line \(line(node)): callers is a list")
        }
        return try sequence.map { item in
            for (key, _) in item.mapping ?? [:] where !["user", "group", "tenants", "grants"].contains(key.string) {
                throw ConfigurationFault("line \(line(key)): there is no key callers.\(key.string ?? "")")
            }
            for tenant in item.mapping?["tenants"]?.sequence ?? [] {
                // Slugs such as no and on are taken as they stand; a key that YAML takes for null or a truth value is a slip.
                let key = tenant.mapping?["key"]
                let tag = (key ?? tenant).tag.description
                guard tag != "tag:yaml.org,2002:null", key == nil || tag != "tag:yaml.org,2002:bool" else {
                    throw ConfigurationFault(
                        "line \(line(key ?? tenant)): a tenant is a slug or {key: ...}; put null, true and the like in quotes where they are meant as text"
                    )
                }
            }
            let entry: CallerEntry
            do {
                entry = try YAMLDecoder().decode(CallerEntry.self, from: item)
            } catch {
                throw ConfigurationFault(
                    "line \(line(item)): a caller is {user or group, tenants: \"*\" or a list of slugs and {key: ...}, grants: [export, operator]}"
                )
            }
            guard (entry.user == nil) != (entry.group == nil) else {
                throw ConfigurationFault("line \(line(item)): a caller is either a user or a group")
            }
            return entry
        }
    }

    private static func line(_ node: Node) -> Int {
        node.mark?.line ?? 1
    }
}
