/// Every scalar that can be configured, by its name in the file. In the environment the same words stand in capitals,
/// after `ADMINEXPORT_` and with `_` for the point.
enum ConfigurationKey: String, CaseIterable {
    case socket
    case databaseURL = "database.url"
    case listenURL = "database.listen"
    case keepsSessions = "database.keepSessions"
    case directoryURL = "directory.url"
    case archives
    case workers
    case retention
    case history
    case lease
    case deadline
    case drain
    case logLevel = "log.level"
    case cellReferences = "workbook.cellReferences"
    case compressionLevel = "workbook.compressionLevel"
    case connections = "limits.connections"
    case connectionsPerUser = "limits.connectionsPerUser"
    case lineBytes = "limits.lineBytes"
    case bytes = "limits.bytes"
    case bytesPerUser = "limits.bytesPerUser"
    case bytesPerConnection = "limits.bytesPerConnection"
    case inFlight = "limits.inFlight"
    case partialLineMs = "limits.partialLineMs"
    case unreadOutputMs = "limits.unreadOutputMs"
    case subscriptions = "limits.subscriptions"
    case transfers = "limits.transfers"
    case transfersPerUser = "limits.transfersPerUser"
    case runningPerTenant = "limits.runningPerTenant"
    case queuedPerTenant = "limits.queuedPerTenant"
    case leastFreeBytes = "limits.leastFreeBytes"

    static let sections: Set<String> = ["database", "directory", "log", "limits", "workbook"]

    /// The environment variable without `ADMINEXPORT_`.
    var variable: String {
        var result = ""
        for character in rawValue {
            if character == "." {
                result += "_"
            } else {
                if character.isUppercase { result += "_" }
                result += character.uppercased()
            }
        }
        return result
    }

    /// Whether a reload puts it in force.
    var isReloaded: Bool { self == .logLevel || rawValue.hasPrefix("limits.") }

    var isSecret: Bool { [.databaseURL, .listenURL, .directoryURL].contains(self) }
}
