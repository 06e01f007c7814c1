internal import Exports
internal import Logging

/// The events about the process, its configuration, its databases and its callers.
enum DaemonEvent: String, ServiceEvent {
    case serving, working, stopOverdue, fatalError
    case configurationWarning, configurationApplied, configurationRefused
    case databaseUnreachable, databaseReachable, connectionsLimited, schemaMissing, privilegeMissing
    case directoryFault, directoryNote, directorySound, directoryNotChecked
    case acceptFailed, connectionRefused, connectionStalled, connectionEnded, connectionsRevoked
    case requestRefused, requestFailed, requestWithoutDatabase, requestWithoutDirectory, directoryRefused, noDescriptorLeft

    var entry: EventEntry {
        switch self {
        case .serving: .init("b45274ae453e4d26a8772b558f2d1f95", .notice, "Serving", [.workers, .version])
        case .working: .init("7244d50fbf6349f7af7d44b93f782365", .notice, "Working", [.workers, .version])
        case .stopOverdue:
            .init("b7444cdb2c7a49e2b08f139f9a8efea0", .critical, "Ending the process: it did not stop in time", [.seconds])
        case .fatalError: .init("e1a234841aaf49e58aa6867f51cb5328", .error, "The process cannot run")
        case .configurationWarning:
            .init("8b620bf86c5f4477940500ec7b0f8df1", .warning, "The configuration needs a change", [.warning])
        case .configurationApplied:
            .init("a18c88c249e74109aabfae451f45dd7b", .notice, "The new configuration is in force")
        case .configurationRefused:
            .init("b57b9bbae6794fdfb879c7725eebde55", .error, "Refused the new configuration", [.error])
        case .databaseUnreachable:
            .init("8b3a7ed9409f4e6aab800ec4289bd706", .warning, "Cannot reach the database", [.error])
        case .databaseReachable: .init("5b0c4fc28e7742e781f7f8fa20d811d1", .notice, "The database answers")
        case .connectionsLimited:
            .init(
                "b7f0c2d94e6a4b0f9f3f5b7a1c8e2d60", .warning,
                "The database allows fewer connections than the pools may open", [.database, .error])
        case .schemaMissing:
            .init("e7d3bb32fd14495183d8972abf0be008", .warning, "The schema is missing from the database", [.error])
        case .privilegeMissing:
            .init("f3b79d8ea57046bab617328c97e32cde", .error, "A role of the service lacks a privilege", [.fault])
        case .directoryFault:
            .init("e00e335baf514754ba544accb45f0842", .error, "The directory violates its contract", [.fault])
        case .directoryNote:
            .init("b7ea1658b38e417a9f7da6139bf9f616", .warning, "The check of the directory has a note", [.note])
        case .directorySound: .init("ff837336be6d4be89985fc8bf1e4deed", .notice, "The directory satisfies its contract")
        case .directoryNotChecked:
            .init("e451406d2f2e4c12b6cda87af30c555c", .info, "Cannot check the directory now", [.error])
        case .acceptFailed: .init("8f7488eb013842119aa148877bf8f801", .error, "Cannot accept a connection", [.error])
        case .connectionRefused:
            .init("1215ea225f904a3b9847778dba13d697", .notice, "Refused a connection", [.reason])
        case .connectionStalled:
            .init("3453bac4cb1c4858839610ee016bac35", .notice, "Ended a stalled connection", [.uid, .side])
        case .connectionEnded:
            .init("7a5751055e4c4258ad653453df7be2ac", .debug, "A connection ended with an error", [.uid, .error])
        case .connectionsRevoked:
            .init("654f5fbdf0184e93a646361877c2c18e", .notice, "Ended connections whose grants changed", [.connections])
        case .requestRefused: .init("f26874d4c6c747998bb09d037f64b05b", .info, "Refused a request", [.uid, .method])
        case .requestFailed:
            .init("f48c3effeff543a9b7169d9781a87d55", .error, "A request failed", [.uid, .method, .error])
        case .requestWithoutDatabase:
            .init(
                "735d426b9360412ebb96a74739e1e565", .warning, "The database is not available to a request",
                [.uid, .method, .error])
        case .requestWithoutDirectory:
            .init(
                "3c56ff8ac0404a3486141c170a7226a2", .warning, "The directory is not available to a request",
                [.uid, .method, .error])
        case .directoryRefused:
            .init(
                "261926dbc7514f109cf5312cb8312d85", .error, "The directory refused a statement of a request",
                [.uid, .method, .error])
        case .noDescriptorLeft:
            .init(
                "abfd0d6de92b43018591ba0479b05329", .error, "Cannot open an archive: no file descriptor is left",
                [.uid, .method])
        }
    }
}
