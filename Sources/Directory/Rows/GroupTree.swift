internal import Postgres

/// The groups that an actor sees, as the tree that they make: each under its parent, siblings in code point order.
///
/// A group whose parent is not among them stands at the top: the actor is not shown what lies above.
package struct GroupTree: Sendable {
    private static let none: Int32 = -1

    private var bytes: [UInt8] = []
    private var names: [Range<Int>] = []
    /// Where walks begin, in the order of names; the circles' last.
    private var tops: [Int32] = []
    private var firstChild: [Int32] = []
    private var nextSibling: [Int32] = []

    /// - Parameters:
    ///   - copy: a binary COPY of key, parent's key and name, ordered by name in code point order.
    ///   - type: of the keys.
    init(copy: CopyBuffer, keys type: KeyTypes.KeyType) throws {
        var indices: [[UInt8]: Int32] = [:]
        var parents: [[UInt8]?] = []
        let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(capacity: 3)
        defer { fields.deallocate() }
        try copy.withBytes { buffer in
            var cursor = try CopyCursor(buffer)
            while try cursor.next(fields) {
                guard let key = fields[0], let name = fields[2] else {
                    throw DirectoryError.sourceInvalid(
                        ContractFault.null("administrator_group", fields[0] == nil ? "id" : "name").description)
                }
                guard indices.updateValue(Int32(names.count), forKey: Array(key)) == nil else {
                    throw DirectoryError.doubled("administrator_group", type.text(of: key))
                }
                parents.append(fields[1].map { Array($0) })
                names.append(bytes.count..<(bytes.count + name.count))
                bytes.append(contentsOf: name)
            }
        }
        link(parents.map { parent in parent.flatMap { indices[$0] } })
    }

    /// Makes the lists of children. From the last to the first, since each is put before its siblings.
    private mutating func link(_ parents: [Int32?]) {
        firstChild = Array(repeating: Self.none, count: parents.count)
        nextSibling = firstChild
        for (index, parent) in parents.enumerated().reversed() {
            if let parent {
                nextSibling[index] = firstChild[Int(parent)]
                firstChild[Int(parent)] = Int32(index)
            }
        }
        tops = parents.indices.filter { parents[$0] == nil }.map(Int32.init) + Self.circles(parents)
    }

    /// The first by name of each circle, in the order of names. What hangs on a circle is below it, and no circle.
    private static func circles(_ parents: [Int32?]) -> [Int32] {
        var firsts: [Int32] = []
        // Who passed a group first, on the way up from which start.
        var passed = Array(repeating: none, count: parents.count)
        for start in parents.indices {
            var group = Int32(start)
            while passed[Int(group)] == none {
                passed[Int(group)] = Int32(start)
                guard let parent = parents[Int(group)] else { break }
                group = parent
            }
            guard passed[Int(group)] == Int32(start), parents[Int(group)] != nil else { continue }
            var first = group
            var next = parents[Int(group)]
            while let member = next, member != group {
                first = min(first, member)
                next = parents[Int(member)]
            }
            firsts.append(first)
        }
        return firsts.sorted()
    }

    /// Calls the body with each group's name and path, once each, a parent before its children; the bytes are valid during the
    /// call.
    ///
    /// A path is the names from the top to the group, joined by ` / `; one that holds a slash or a quote is quoted as in
    /// CSV, so that a path can be split again. Groups that stand in a circle come last, as if the first of them by name
    /// were at the top.
    package func forEachGroup(
        _ body: (_ name: UnsafeBufferPointer<UInt8>, _ path: UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        var walk = Walk(count: names.count)
        for top in tops { try visit(top, &walk, body) }
    }

    /// Where a walk through the tree stands.
    private struct Walk {
        var isVisited: [Bool]
        var path: [UInt8] = []
        /// Groups to come, with the length of the path that leads to them.
        var pending: [(group: Int32, prefix: Int)] = []

        init(count: Int) {
            isVisited = Array(repeating: false, count: count)
        }
    }

    /// Walks without recursion: a tree may be as deep as it has groups.
    private func visit(
        _ top: Int32, _ walk: inout Walk,
        _ body: (_ name: UnsafeBufferPointer<UInt8>, _ path: UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        walk.pending.append((top, 0))
        while let (group, prefix) = walk.pending.popLast() {
            let sibling = nextSibling[Int(group)]
            if prefix > 0, sibling != Self.none { walk.pending.append((sibling, prefix)) }
            guard !walk.isVisited[Int(group)] else { continue }
            walk.isVisited[Int(group)] = true
            walk.path.removeSubrange(prefix...)
            walk.path.append(item: bytes[names[Int(group)]], separator: "/")
            try bytes.withUnsafeBufferPointer { bytes in
                try walk.path.withUnsafeBufferPointer { path in
                    try body(UnsafeBufferPointer(rebasing: bytes[names[Int(group)]]), path)
                }
            }
            let child = firstChild[Int(group)]
            guard child != Self.none else { continue }
            walk.path += Array(" / ".utf8)
            walk.pending.append((child, walk.path.count))
        }
    }
}
