/// Something that the operator has to change. Ends a process with status 78 (EX_CONFIG) and this sentence.
struct ConfigurationFault: Error, Equatable, CustomStringConvertible {
    static let exitStatus: Int32 = 78

    let description: String

    init(_ description: String) {
        self.description = description
    }
}
