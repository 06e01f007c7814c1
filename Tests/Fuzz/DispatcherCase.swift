private import AdminExportAPI
private import Daemon
private import Foundation
private import JSONRPC

/// Parameters of each method are refused with the name of the wrong part, or accepted and then match the schema.
enum DispatcherCase {
    private typealias Case = @Sendable (JSONNode) throws -> Void

    private static let cases: [String: Case] = [
        make(ExportStart.self), make(ExportGet.self), make(ExportList.self), make(ExportWait.self), make(ExportWatch.self),
        make(ExportUnwatch.self), make(ExportCancel.self), make(ExportOpen.self), make(ExportRead.self),
        make(ExportReceipt.self),
        make(ExportDelete.self), make(ServiceInfo.self), make(ServiceHealth.self), make(ServiceMetrics.self),
        make(ServiceStats.self), make(RPCDiscover.self), make(ServicePause.self), make(ServiceResume.self),
        make(ServiceWorkers.self), make(ServiceDrain.self), make(ServiceHold.self), make(ServiceHolds.self),
        make(AuditList.self),
        make(AuditCheckpoints.self), make(AuditDigest.self),
    ].reduce(into: [:]) { $0[$1.name] = $1.run }

    private static func make<Called: AdminExportAPI.Method>(_ method: Called.Type) -> (name: String, run: Case) {
        let run: Case = { given in
            let params: Called.Params
            do {
                params = try WireCoding.params(Called.self, given)
            } catch let error as RPCError {
                // The schema names what is wrong. The decoder must accept everything that passes the schema.
                if error.code != -32602 || error.message.hasPrefix("The parameters are not") { fail(error.message) }
                return
            }
            let again = try WireCoding.params(Called.self, JSONDocument(scanning: WireCoding.encode(params)).root)
            if try WireCoding.encode(again) != WireCoding.encode(params) {
                fail("encoding and decoding change the parameters")
            }
        }
        return (Called.name, run)
    }

    /// The first byte chooses the method. Input that is not an object becomes the value of each parameter in turn.
    static func run(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let method = MethodDescription.all[Int(choice) % MethodDescription.all.count]
        guard let parameters = cases[method.name] else { fail("add \(method.name) to the cases") }
        let bytes = Array(input.dropFirst())
        guard let root = try? JSONDocument(scanning: bytes).root else { return }
        do {
            try parameters(root)
            for property in method.params.properties {
                let member = Array("{\"\(property.name)\":".utf8) + bytes + [UInt8(ascii: "}")]
                if let root = try? JSONDocument(scanning: member).root { try parameters(root) }
            }
        } catch {
            fail("unexpected error: \(error)")
        }
    }
}
