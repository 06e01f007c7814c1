/// How strongly the parts of a workbook are compressed.
///
/// For one build of the program, the bytes of the file depend only on the rows and on this value, not on the number of cores.
public enum Compression: Hashable, Sendable {
    /// The writer's own compressor for sheets, which knows the XML that the writer makes; zlib, as with ``automatic``, for the few
    /// other parts. It takes a quarter of the time of zlib's level 1, and files are as small as with level 6.
    case template
    /// zlib's level 6 for the first MiB of each part, level 1 for the rest. A small file becomes as small as those of other
    /// writers, and a large one is written fast.
    case automatic
    /// One of zlib's levels, from 0 (none) and 1 (fastest) to 9 (smallest).
    case level(Int)

    private static let levels = 0...9
    private static let thorough = 1024 * 1024

    func check() throws {
        if case .level(let level) = self, !Self.levels.contains(level) {
            throw XLSXError(.compression, "the compression level is \(level), but must be from 0 to 9")
        }
    }

    /// zlib's level for a block.
    ///
    /// - Parameter offset: the offset of the block in its part.
    func level(at offset: UInt64) -> Int {
        switch self {
        case .template, .automatic: offset < Self.thorough ? 6 : 1
        case .level(let level): level
        }
    }
}
