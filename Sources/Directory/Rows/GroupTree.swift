internal import Postgres

/// The groups that an actor sees, as a tree: each below its parent, siblings in code point order.
///
/// A group whose parent is not among them is a root: the actor is not shown what is above it. A tree may contain cycles, since nothing
/// in a directory prevents them; each is shown from its first group by name, as if that were a root, after the other roots.
package struct GroupTree: Sendable {
    private static let none: Int32 = -1

    private var bytes: [UInt8] = []
    private var names: [Range<Int>] = []
    /// In the order of names; those of cycles come last.
    private var roots: [Int32] = []
    private var firstChild: [Int32] = []
    private var nextSibling: [Int32] = []

    /// - Parameters:
    ///   - copy: a binary COPY of key, parent's key and name, ordered by name in code point order.
    ///   - type: of the keys.
    init(copy: CopyBuffer, keys type: KeyTypes.KeyType) throws {
        var indices: [ArraySlice<UInt8>: Int32] = [:]
        var parents: [ArraySlice<UInt8>?] = []
        var rows = try CopyRows(copy, width: 3)
        while try rows.next() {
            let key = rows.fields[0].range
            guard let key, let name = rows.fields[2].range else {
                throw DirectoryError.sourceInvalid(
                    ContractFault.null("administrator_group", key == nil ? "id" : "name").description)
            }
            guard indices.updateValue(Int32(names.count), forKey: rows.bytes[key]) == nil else {
                throw DirectoryError.doubled("administrator_group", type.text(of: rows.bytes[key]))
            }
            parents.append(rows.fields[1].range.map { rows.bytes[$0] })
            names.append(name)
        }
        bytes = rows.bytes
        link(parents.map { parent in parent.flatMap { indices[$0] } })
    }

    /// Makes the lists of children, from the last group to the first, because each is put before its siblings.
    private mutating func link(_ parents: [Int32?]) {
        firstChild = Array(repeating: Self.none, count: parents.count)
        nextSibling = firstChild
        for (index, parent) in parents.enumerated().reversed() {
            if let parent {
                nextSibling[index] = firstChild[Int(parent)]
                firstChild[Int(parent)] = Int32(index)
            }
        }
        roots = parents.indices.filter { parents[$0] == nil }.map(Int32.init) + Self.cycleRoots(parents)
    }

    /// The first group by name of each cycle, in the order of names. A group that is below a cycle is not part of it.
    private static func cycleRoots(_ parents: [Int32?]) -> [Int32] {
        var roots: [Int32] = []
        // For each group, the start of the first walk upwards that has passed it.
        var passed = Array(repeating: none, count: parents.count)
        for start in parents.indices {
            var group = Int32(start)
            while passed[Int(group)] == none {
                passed[Int(group)] = Int32(start)
                guard let parent = parents[Int(group)] else { break }
                group = parent
            }
            guard passed[Int(group)] == Int32(start), parents[Int(group)] != nil else { continue }
            var root = group
            var next = parents[Int(group)]
            while let member = next, member != group {
                root = min(root, member)
                next = parents[Int(member)]
            }
            roots.append(root)
        }
        return roots.sorted()
    }

    /// Calls the body once with each group's name and path, a parent before its children. UTF-8.
    ///
    /// A path is the names from the root to the group, joined by ` / `; one that contains a slash or a quote is quoted as in CSV, so
    /// that a path can be split again.
    package func forEachGroup(_ body: (_ name: Span<UInt8>, _ path: Span<UInt8>) throws -> Void) rethrows {
        var isVisited = Array(repeating: false, count: names.count)
        var path: [UInt8] = []
        // A stack instead of recursion: a tree may be as deep as it has groups. Each entry has the length of its parent's path.
        var pending = roots.reversed().map { (group: $0, prefix: 0) }
        while let (group, prefix) = pending.popLast() {
            let (index, sibling) = (Int(group), nextSibling[Int(group)])
            if prefix > 0, sibling != Self.none { pending.append((sibling, prefix)) }
            guard !isVisited[index] else { continue }
            isVisited[index] = true
            path.removeSubrange(prefix...)
            path.append(item: bytes[names[index]].span, separator: "/")
            try body(bytes.span.extracting(names[index]), path.span)
            if firstChild[index] != Self.none {
                path += " / ".utf8
                pending.append((firstChild[index], path.count))
            }
        }
    }
}
