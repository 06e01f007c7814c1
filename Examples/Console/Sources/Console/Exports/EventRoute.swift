import Accounts
internal import AdminExportAPI
import AdminExportClient
import Foundation
import Hummingbird
import NIOCore

/// `GET /exports/events?job=…`: the states of the user's exports.
struct EventRoute: Sendable {
    let events: ExportEvents
    let accounts: AccountList
    let frame: Frame
    /// A browser needs one stream, whatever the number of its tabs.
    let streams = Places(all: 256, each: 4)

    func respond(to request: Request, _ context: ConsoleContext, texts: Texts) async throws -> Response {
        guard let actor = frame.visitor(of: request, context)?.actor else { throw HTTPError(.unauthorized) }
        let jobs = request.uri.queryParameters.filter { $0.key == "job" }.map { String($0.value) }
        guard (1...ExportEvents.maxJobs).contains(jobs.count), jobs.allSatisfy({ UUID(uuidString: $0) != nil }) else {
            throw HTTPError(.badRequest)
        }
        guard streams.open(actor) else { throw HTTPError(.serviceUnavailable, headers: [.retryAfter: "5"]) }
        let place = Closing { [streams] in streams.close(actor) }
        // The time zone of the expiry time. Without it, the stream omits the time.
        let zone = (try? await accounts.details(of: actor))?.timeZone ?? ""
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .accelBuffering: "no"],
            body: ResponseBody { [events, visitors = frame.visitors, peer = context.peer] writer in
                defer { place.close() }
                // Send this first: it tells the browser that it is connected, and when to reconnect.
                try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                let end: ExportEvents.End
                do {
                    end = try await request.body.consumeWithCancellationOnInboundClose { _ in
                        try await events.follow(Array(Set(jobs)), of: actor) { event in
                            // Send nothing after the user has signed out.
                            guard visitors.visitor(of: request, from: peer)?.actor == actor else { return false }
                            try await writer.write(ByteBuffer(string: Self.text(event, texts, zone: zone)))
                            return true
                        }
                    }
                } catch is CancellationError {
                    // The browser has closed the connection.
                    return
                }
                switch end {
                case .over: try await writer.write(ByteBuffer(string: "event: end\ndata: {}\n\n"))
                case .unwanted: try await writer.write(ByteBuffer(string: "event: signed-out\ndata: {}\n\n"))
                // The browser reconnects.
                case .interrupted: break
                }
                try await writer.finish(nil)
            })
    }

    static func text(_ event: ExportEvents.Event, _ texts: Texts, zone: String) throws -> String {
        func text(_ name: String, _ value: some Encodable) throws -> String {
            // The JSON is on one line, because a line end would end the field.
            "event: \(name)\ndata: \(String(decoding: try JSONEncoder().encode(value), as: UTF8.self))\n\n"
        }
        switch event {
        case .job(let job): return try text("job", JobView(job, texts, zone: zone))
        case .gone(let id): return try text("gone", ["id": id])
        case .trouble(let id, let error): return try text("trouble", ["id": id, "text": Problem(error, texts).text])
        case .keepAlive: return ": keep-alive\n\n"
        }
    }
}
