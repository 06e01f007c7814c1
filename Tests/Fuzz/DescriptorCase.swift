private import AdminExportAPI
private import AdminExportClient
private import Dispatch
private import Foundation
private import Sockets

/// A client that receives any bytes and descriptors from a service, in any pieces. It neither crashes nor hangs, and leaves
/// no descriptor open.
enum DescriptorCase {
    static func run(_ input: [UInt8]) throws {
        let before = openDescriptors()
        try exchange(input)
        // The client's thread closes its end later.
        for _ in 0..<2_000 where openDescriptors() > before { usleep(500) }
        if openDescriptors() > before { fail("a descriptor is left") }
    }

    /// Counts sockets and pipes only, because libraries open other descriptors, such as timers, at any time.
    private static func openDescriptors() -> Int {
        (0..<256).count { descriptor in
            var status = stat()
            return fstat(Int32(descriptor), &status) == 0 && [S_IFSOCK, S_IFIFO].contains(status.st_mode & S_IFMT)
        }
    }

    private static func exchange(_ input: [UInt8]) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { fail("no pair of sockets") }
        let client = Client(connected: ends[0])
        let isDone = DispatchSemaphore(value: 0)
        let actor = ActorName(tenant: "t", administrator: "a")
        Task {
            // Two files and a job, with the ids 1 to 3, are requested before the first reply.
            async let first = try? client.open(actor, job: "j")
            async let second = try? client.open(actor, job: "j")
            async let third = try? client.call(ExportGet.self, .init(actor: actor, job: "j"))
            if let workbook = await first { _ = try? await workbook.read() }
            _ = await (second, third)
            client.close()
            isDone.signal()
        }
        try answer(input, ends[1])
        close(ends[1])
        guard isDone.wait(timeout: .now() + 20) == .success else { fail("a client does not end") }
    }

    /// Each byte of the input selects something to send.
    private static func answer(_ input: [UInt8], _ raw: Int32) throws {
        let socket = ConnectedSocket(borrowing: raw)
        let open = #"{"size":1,"sha256":"","archiveSize":1,"fileName":"f","fd":0}"#
        var rest = input.prefix(64)
        while let choice = rest.popFirst() {
            let id = Int(choice >> 4) % 4
            switch choice & 15 {
            case 0: send(raw, "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(open)}\n")
            case 1: try pass(socket, "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(open)}\n")
            case 2: send(raw, "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":1,\"message\":\"\"}}\n")
            case 3: try pass(socket, "{")
            case 4: try pass(socket, "\n")
            case 5: send(raw, "{\"jsonrpc\":\"2.0\",\"method\":\"export.changed\",\"params\":{}}\n")
            case 6: send(raw, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}\n")
            default:
                // That many bytes of the input, unchanged.
                send(raw, bytes: Array(rest.prefix(id * 5)) + (choice & 1 == 0 ? [UInt8(ascii: "\n")] : []))
                rest = rest.dropFirst(id * 5)
            }
        }
    }

    private static func pass(_ socket: ConnectedSocket, _ text: String) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { fail("no pipe") }
        close(ends[1])
        let descriptor = PassedDescriptor(adopting: ends[0])
        // The client has stopped reading, which it may do.
        _ = try? socket.send(Array(text.utf8)[...], descriptor)
    }

    private static func send(_ raw: Int32, _ text: String) {
        send(raw, bytes: Array(text.utf8))
    }

    private static func send(_ raw: Int32, bytes: [UInt8]) {
        if !bytes.isEmpty { _ = Foundation.send(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }
}
