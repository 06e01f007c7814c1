import Client
import Foundation
import Hummingbird
import NIOCore
import Synchronization

/// `GET /exports/events?job=…`: what becomes of the visitor's exports.
struct EventRoute: Sendable {
    let events: ExportEvents
    let streams = StreamCount()

    /// Streams that are open. A browser needs one, however many tabs it has.
    final class StreamCount: Sendable {
        private static let most = 256
        private static let mostOfOne = 8
        private let count = Mutex<[String: Int]>([:])

        func open(_ actor: Actor) -> Bool {
            count.withLock { count in
                let key = "\(actor.tenant)\0\(actor.administrator)"
                guard count.values.reduce(0, +) < Self.most, count[key, default: 0] < Self.mostOfOne else { return false }
                count[key, default: 0] += 1
                return true
            }
        }

        func close(_ actor: Actor) {
            count.withLock { count in
                let key = "\(actor.tenant)\0\(actor.administrator)"
                count[key] = count[key].flatMap { $0 > 1 ? $0 - 1 : nil }
            }
        }
    }

    func respond(to request: Request, _ context: ConsoleContext, texts: Texts) throws -> Response {
        guard let actor = context.visitor?.actor else { throw HTTPError(.unauthorized) }
        let jobs = request.uri.queryParameters.filter { $0.key == "job" }.map { String($0.value) }
        guard (1...ExportEvents.mostJobs).contains(jobs.count), jobs.allSatisfy({ UUID(uuidString: $0) != nil }) else {
            throw HTTPError(.badRequest)
        }
        guard streams.open(actor) else { throw HTTPError(.serviceUnavailable, headers: [.retryAfter: "5"]) }
        let guardian = Closing { [streams] in streams.close(actor) }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .accelBuffering: "no"],
            body: ResponseBody { [events] writer in
                defer { guardian.close() }
                // First of all, so that the browser knows that it is connected, and when to come back.
                try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                let isOver: Bool
                do {
                    isOver = try await request.body.consumeWithCancellationOnInboundClose { _ in
                        try await events.follow(Array(Set(jobs)), of: actor) { event in
                            try await writer.write(ByteBuffer(string: Self.text(event, texts)))
                        }
                    }
                } catch is CancellationError {
                    // The browser is gone.
                    return
                }
                // Else the browser comes again.
                if isOver { try await writer.write(ByteBuffer(string: "event: end\ndata: {}\n\n")) }
                try await writer.finish(nil)
            })
    }

    static func text(_ event: ExportEvents.Event, _ texts: Texts) throws -> String {
        func text(_ name: String, _ value: some Encodable) throws -> String {
            // JSON on one line: a line's end within a text would end the field.
            "event: \(name)\ndata: \(String(decoding: try JSONEncoder().encode(value), as: UTF8.self))\n\n"
        }
        switch event {
        case .job(let job): return try text("job", JobView(job, texts))
        case .gone(let id): return try text("gone", ["id": id])
        case .trouble(let id, let error): return try text("trouble", ["id": id, "text": Problem(error, texts).text])
        case .pulse: return ": pulse\n\n"
        }
    }
}

/// Does something once: when it is closed, or else when nobody has it any more. A response's body may never be asked for.
private final class Closing: Sendable {
    private let body: Mutex<(@Sendable () -> Void)?>

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = Mutex(body)
    }

    func close() {
        body.withLock { body in
            defer { body = nil }
            return body
        }?()
    }

    deinit {
        close()
    }
}
