internal import AdminExportAPI
import AdminExportClient

/// The settings of the service that pages follow.
struct ServiceSettings: Sendable {
    /// Whether an actor whose scope is groups sees the names of other groups.
    var otherGroups = ServiceInfo.OtherGroups.hide
    /// Whether the checkbox for the sheet about the export is checked initially; nil if the service of an earlier version has no such sheet.
    var includesAbout: Bool?
    /// The further columns of exports.
    var attributes: [ServiceInfo.Attribute] = []
}

extension ServiceConnections {
    /// The service's settings. If the service does not answer, the console hides the names of other groups, because a page must not show more
    /// than an export.
    func settings() async -> ServiceSettings {
        guard let info = try? await call(ServiceInfo.self, NoMembers(), timeout: .seconds(2)) else {
            return ServiceSettings()
        }
        return ServiceSettings(
            otherGroups: info.otherGroups ?? .show, includesAbout: info.includeAbout,
            attributes: info.attributes ?? [])
    }
}
