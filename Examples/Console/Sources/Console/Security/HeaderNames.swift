import HTTPTypes

/// Header fields that HTTPTypes does not define.
extension HTTPField.Name {
    static let accelBuffering = named("X-Accel-Buffering")
    static let fetchMode = named("Sec-Fetch-Mode")
    static let fetchSite = named("Sec-Fetch-Site")
    static let frameOptions = named("X-Frame-Options")
    static let openerPolicy = named("Cross-Origin-Opener-Policy")
    static let referrerPolicy = named("Referrer-Policy")
    static let resourcePolicy = named("Cross-Origin-Resource-Policy")

    private static func named(_ name: StaticString) -> HTTPField.Name {
        guard let field = HTTPField.Name("\(name)") else { preconditionFailure("\(name) is no name of a field") }
        return field
    }
}
