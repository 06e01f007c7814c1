internal import AdminExportAPI
internal import Exports
private import Foundation
internal import JSONRPC
internal import Sockets
private import SystemPackage

/// Serves the methods of ``ExportMethods.swift`` and ``WorkbookMethods.swift``.
struct ExportHandlers: Sendable {
    let exports: ExportService
    let metrics: ServerMetrics
    let settings: LiveSettings

    var methods: [ServiceDispatcher.Method] {
        [
            .result(ExportStart.self, [], start), .result(ExportGet.self, [], get), .result(ExportList.self, .large, list),
            .result(ExportWait.self, .long, wait), .outcome(ExportWatch.self, [], watch),
            .outcome(ExportUnwatch.self, .control, unwatch), .result(ExportCancel.self, .control, cancel),
            .result(ExportDelete.self, [], delete),
            // One at a time for each connection: a descriptor waits with its reply until the peer takes it.
            .outcome(ExportOpen.self, .large, open),
            .outcome(ExportRead.self, [.long, .large], read), .result(ExportReceipt.self, .large, receipt),
        ]
    }

    // MARK: Jobs

    private func start(_ params: ExportStart.Params, _ session: CallerSession) async throws -> ExportStart.Result {
        let options = ExportOptions(
            includeDisabled: params.includeDisabled ?? false, includeReferences: params.includeReferences ?? false,
            includeAbout: params.includeAbout ?? settings.includesAbout)
        let request = try ExportOptions.request(
            includeDisabled: options.includeDisabled, includeReferences: options.includeReferences,
            includeAbout: params.includeAbout)
        let started = try await exports.start(
            session.actorRequest(params.actor), options: options, request: request, idempotencyKey: params.idempotencyKey
        )
        return ExportStart.Result(job: try AdminExportAPI.Job(started.job), replayed: started.isReplayed)
    }

    private func get(_ params: JobParams, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.get(session.requester(params.actor), job: JobID(param: params.job)))
    }

    private func list(_ params: ExportList.Params, _ session: CallerSession) async throws -> ExportList.Result {
        let limit = params.limit ?? 20
        if params.actor != nil, params.tenant != nil {
            throw RPCError.invalidParams(
                "tenant",
                "The parameters tenant and actor exclude each other: actor names a tenant already. Send one of them.")
        }
        // One job more than requested shows whether there is a next page.
        let jobs = try await exports.list(
            session.requester(params.actor, tenant: params.tenant),
            states: (params.states ?? []).compactMap { JobState(rawValue: $0.rawValue) },
            before: params.cursor.map { try JobID(param: $0, "cursor") }, limit: limit + 1)
        let page = jobs.prefix(limit)
        return ExportList.Result(
            jobs: try page.map { try AdminExportAPI.Job($0) },
            nextCursor: jobs.count > limit ? page.last?.id.description : nil)
    }

    private func wait(_ params: ExportWait.Params, _ session: CallerSession) async throws -> JobReply {
        try JobReply(
            await exports.wait(
                session.requester(params.actor), job: JobID(param: params.job), after: params.afterRevision,
                timeout: .milliseconds(params.timeoutMs ?? 30_000)))
    }

    private func cancel(_ params: JobParams, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.cancel(session.requester(params.actor), job: JobID(param: params.job)))
    }

    private func delete(_ params: JobParams, _ session: CallerSession) async throws -> JobReply {
        try JobReply(await exports.delete(session.requester(params.actor), job: JobID(param: params.job)))
    }

    // MARK: Subscriptions

    private func watch(
        _ params: JobParams, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> Outcome {
        let job = try await exports.get(session.requester(params.actor), job: JobID(param: params.job))
        let reply = try AdminExportAPI.Job(job)
        let subscription = try subscriptions.open()
        do {
            let json = try WireCoding.encode(ExportWatch.Result(subscription: subscription.id, job: reply))
            // Not before the reply: the caller has to know the subscription when the first notification comes.
            return Outcome(json) { [exports] _ in
                guard !job.state.isFinal else { return subscription.end() }
                subscription.onEnd(exports.watch(job) { Self.notify($0, subscription) })
            }
        } catch {
            subscription.end()
            throw error
        }
    }

    private static func notify(_ change: Result<JobRecord, any Error>, _ subscription: Subscription) {
        // If the job is gone, or cannot be written as JSON, no further notification can follow.
        guard let job = try? change.get(), let reply = try? AdminExportAPI.Job(job),
            let json = try? WireCoding.encode(ExportChanged(subscription: subscription.id, job: reply))
        else { return subscription.end() }
        subscription.notify(ExportChanged.name, json)
        if job.state.isFinal { subscription.end() }
    }

    private func unwatch(
        _ params: ExportUnwatch.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> Outcome {
        subscriptions.end(params.subscription)
        return Outcome(try WireCoding.encode(NoMembers()))
    }

    // MARK: Receipts

    private func receipt(_ params: ExportReceipt.Params, _ session: CallerSession) async throws -> ExportReceipt.Result {
        let json = try await exports.receipt(session.actorRequest(params.actor), job: JobID(param: params.job))
        return ExportReceipt.Result(receipt: try JSONDecoder().decode(StatementEnvelope.self, from: Data(json.utf8)))
    }

    // MARK: Workbooks

    private func open(
        _ params: ExportOpen.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> Outcome {
        let offset = params.offset ?? 0
        let form: ExportService.Form
        switch params.encoding ?? .identity {
        case .identity: form = .content(offset: offset)
        case .zstd:
            guard offset == 0 else {
                throw RPCError.invalidParams(
                    "offset", "The parameter offset must be 0 with the encoding zstd, which returns the whole archive.")
            }
            form = .archive
        }
        let (job, file) = try await exports.open(session.actorRequest(params.actor), job: JobID(param: params.job), as: form)
        metrics.openedWorkbook()
        let reply = try AdminExportAPI.Job(job)
        let result = ExportOpen.Result(
            size: file.size, sha256: reply.sha256 ?? "", archiveSize: file.archiveSize, fileName: reply.fileName ?? "")
        let descriptor = PassedDescriptor(file.descriptor.rawValue, of: file) { file.wasPassed() }
        return Outcome(try WireCoding.encode(result), attachments: [descriptor])
    }

    private func read(
        _ params: ExportRead.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> Outcome {
        let actor = try session.actorRequest(params.actor)
        let job = try JobID(param: params.job)
        let isFirst = session.isFirstRead(of: job)
        let part: ExportService.Part
        do {
            part = try await exports.read(actor, job: job, offset: params.offset, length: params.length, isFirst: isFirst)
        } catch {
            if isFirst { session.forgetRead(of: job) }
            throw error
        }
        metrics.sent(part.bytes.count)
        let result = ExportRead.Result(
            offset: params.offset, data: Data(part.bytes).base64EncodedString(), size: part.size,
            eof: params.offset + part.bytes.count >= part.size)
        return Outcome(try WireCoding.encode(result)) { [delivery = part.delivery] isSent in
            if !isSent { delivery?.failed(.notSent) }
        }
    }
}
