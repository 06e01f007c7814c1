internal import ExportAPI
internal import JSONRPC

struct RPCDiscoverHandler: ResultHandler {
    typealias Called = RPCDiscover
    static let traits: MethodTraits = .large

    private let document = RPCDiscover.Result(OpenRPC.document(version: AdminExportDaemon.version))

    func handle(_ params: NoMembers, _ session: Session) async throws -> RPCDiscover.Result {
        document
    }
}
