internal import AdminExportAPI
import AdminExportClient
import Foundation
import HTTPTypes
import Hummingbird

/// The forms that start, cancel and delete exports. Scripts send the same fields and get JSON.
struct ExportForms: Sendable {
    let connections: ServiceConnections
    let visitors: Visitors

    struct Form: Decodable {
        let token: String?
        let includeDisabled: String?
        /// Whether the form had the checkbox: a service of an earlier version refuses the option.
        let offersAbout: String?
        let includeAbout: String?
        let idempotencyKey: String?
    }

    /// The user and the form.
    ///
    /// - Throws: 401 if nobody has signed in, 403 if the form was not made for this user.
    func form(_ request: Request, _ context: ConsoleContext) async throws -> (actor: ActorName, form: Form) {
        guard let visitor = context.visitor else { throw HTTPError(.unauthorized) }
        let form = try await request.decode(as: Form.self, context: context)
        guard visitors.isOwn(request, token: form.token, formKey: visitor.formKey) else { throw HTTPError(.forbidden) }
        return (visitor.actor, form)
    }

    func start(_ request: Request, _ context: ConsoleContext, texts: Texts) async throws -> Response {
        let (actor, form) = try await form(request, context)
        // The form's key makes a second click or a reload return the same export.
        let key = form.idempotencyKey.flatMap { UUID(uuidString: $0)?.uuidString }
        let job = try await connections.call(
            ExportStart.self,
            .init(
                actor: actor, includeDisabled: form.includeDisabled == "on",
                includeAbout: form.offersAbout == nil ? nil : form.includeAbout == "on",
                idempotencyKey: key ?? UUID().uuidString)
        ).job
        return try done(job, request, texts, status: .created)
    }

    func cancel(_ request: Request, _ context: ConsoleContext, texts: Texts) async throws -> Response {
        let actor = try await form(request, context).actor
        return try done(
            try await connections.call(ExportCancel.self, .init(actor: actor, job: id(context))).job, request, texts)
    }

    func delete(_ request: Request, _ context: ConsoleContext, texts: Texts) async throws -> Response {
        let actor = try await form(request, context).actor
        return try done(
            try await connections.call(ExportDelete.self, .init(actor: actor, job: id(context))).job, request, texts)
    }

    private func id(_ context: ConsoleContext) throws -> String {
        try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
    }

    private func done(
        _ job: Job, _ request: Request, _ texts: Texts, status: HTTPResponse.Status = .ok
    ) throws -> Response {
        guard request.wantsJSON else { return .redirect(to: Paths.exports, type: .normal) }
        // The export has no file yet, so the view needs no time zone for the expiry time.
        return try .json(JobView(job, texts, zone: ""), status: status)
    }
}

extension Request {
    /// Whether a script, not a form, sends the request.
    var wantsJSON: Bool { headers[.accept]?.contains("application/json") == true }
}

extension Response {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: .init(bytes: try JSONEncoder().encode(value))))
    }

    static func html(_ page: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: .init(string: page)))
    }
}
