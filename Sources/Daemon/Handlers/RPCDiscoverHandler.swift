internal import AdminExportAPI
internal import JSONRPC

struct RPCDiscoverHandler: MethodHandler {
    typealias Called = RPCDiscover
    static let traits: MethodTraits = .large

    /// Made once: it is the same for everyone.
    private static let document = Result {
        try WireCoding.encode(RPCDiscover.Result(OpenRPC.document(version: AdminExportDaemon.version)))
    }

    func outcome(_ params: NoMembers, _ session: CallerSession, _ subscriptions: Subscriptions) async throws
        -> ServiceOutcome
    {
        Outcome(try Self.document.get())
    }
}
