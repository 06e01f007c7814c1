import Archive
import Foundation
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(10))) struct ContentPipeTests {
    /// Three frames of content that does not compress.
    private static let content: [UInt8] = {
        var state: UInt32 = 7
        return (0..<2_500_000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
    }()

    private final class FileOutput: ArchiveOutput {
        let file: FileDescriptor

        init(_ file: FileDescriptor) {
            self.file = file
        }

        func write(_ bytes: Span<UInt8>) throws {
            _ = try bytes.withUnsafeBytes { try file.writeAll($0) }
        }
    }

    private func withReader(_ body: (SeekableReader) async throws -> Void) async throws {
        let path = FilePath("/tmp/adminexport-pipe-\(UUID().uuidString.prefix(8))")
        defer { try? FileManager.default.removeItem(atPath: path.string) }
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
        let writer = try SeekableWriter(to: FileOutput(file))
        try writer.write(Self.content.span.bytes)
        _ = try writer.finish { _ in Array("{}".utf8) }
        try file.close()
        try await body(SeekableReader(path: path))
    }

    /// Feeds the pipe on a separate thread, as the service does.
    private func feed(
        _ pipe: ContentPipe, while isWanted: @escaping @Sendable () -> Bool = { true }
    ) async throws -> ContentPipe.End {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try pipe.feed(while: isWanted) }) }
        }
    }

    /// Reads `count` bytes on a separate thread and closes the pipe.
    private func read(_ end: FileDescriptor, count: Int) async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let handle = FileHandle(fileDescriptor: end.rawValue, closeOnDealloc: true)
                continuation.resume(with: Result { try handle.read(upToCount: count) ?? Data() })
            }
        }
    }

    @Test(
        "The pipe gives the content from the offset to its end",
        arguments: [0, 1, 1_048_575, 1_048_576, 2_499_999, 2_500_000])
    func offsets(_ offset: Int) async throws {
        try await withReader { reader in
            let pipe = try ContentPipe(reader, from: offset, timeout: .seconds(30))
            let end = try #require(pipe.takeReadEnd())
            #expect(pipe.takeReadEnd() == nil)
            async let fed = feed(pipe)
            async let got = read(end, count: Self.content.count - offset)
            #expect(try await fed == .complete)
            #expect(try await got == Data(Self.content[offset...]))
        }
    }

    @Test("Feeding a pipe ends if the reader closes it, if the reader does not read in time, and on request")
    func ends() async throws {
        // As in the service, writing to a pipe without a reader returns an error and does not end the process.
        signal(SIGPIPE, SIG_IGN)
        try await withReader { reader in
            let abandoned = try ContentPipe(reader, from: 0, timeout: .seconds(30))
            try abandoned.takeReadEnd()?.close()
            #expect(try await feed(abandoned) == .abandoned)
            let stalled = try ContentPipe(reader, from: 0, timeout: .milliseconds(100))
            let end = stalled.takeReadEnd()
            #expect(try await feed(stalled) == .stalled)
            try end?.close()
            let stopped = try ContentPipe(reader, from: 0, timeout: .seconds(30))
            #expect(try await feed(stopped) { false } == .stopped)
        }
    }
}
