/// Something that the operator has to change. Ends a process with status 78 (EX_CONFIG) and this sentence.
struct ConfigurationFault: Error, Equatable, CustomStringConvertible {
    static let exitStatus: Int32 = 78

    let description: String
    /// Somebody else is probably about to put it right: a migration that is under way.
    let mayPass: Bool
    /// The login lacks a role.
    let isAboutRole: Bool

    init(_ description: String, mayPass: Bool = false, isAboutRole: Bool = false) {
        self.description = description
        self.isAboutRole = isAboutRole
        self.mayPass = mayPass
    }
}
