public import AdminExportAPI
private import Foundation
private import Synchronization

extension Client {
    /// Has the service hand out a finished workbook as an open file.
    ///
    /// - Parameters:
    ///   - offset: bytes from the start of the workbook; 0 for the archive.
    ///   - encoding: a pipe of the workbook's bytes, or the archive file itself.
    /// - Throws: ``ClientError``: also `descriptorLost`.
    public func open(
        _ actor: ActorName, job: String, offset: Int = 0, encoding: ExportOpen.Encoding = .identity
    ) async throws -> OpenWorkbook {
        let box = DescriptorBox()
        let params = try JSONEncoder().encode(
            ExportOpen.Params(actor: actor, job: job, offset: offset == 0 ? nil : offset, encoding: encoding))
        let json = try await call(ExportOpen.name, params: params, timeout: .seconds(30)) { _, descriptor in
            box.put(descriptor)
        }
        guard let result = try? JSONDecoder().decode(ExportOpen.Result.self, from: json) else {
            throw ClientError(
                .protocolViolation, "the service answered \(ExportOpen.name) with something else than a result")
        }
        switch box.take() {
        case .arrived(let descriptor): return try OpenWorkbook(result, descriptor)
        case .lost:
            throw ClientError(
                .descriptorLost,
                "the service passed a file, and this process may have no more open: raise its limit (ulimit -n)"
            )
        case nil:
            throw ClientError(.protocolViolation, "the service answered \(ExportOpen.name) without a file")
        }
    }
}

/// Carries a descriptor from the thread that reads to the task that asked.
private final class DescriptorBox: Sendable {
    private let content = Mutex<Descriptor?>(nil)

    func put(_ descriptor: Descriptor?) {
        content.withLock { $0 = descriptor }
    }

    func take() -> Descriptor? {
        content.withLock { $0.take() }
    }
}
