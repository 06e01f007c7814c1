/// The administrator in whose name a caller asks, by the tenant's slug and the exact e-mail address.
public struct ActorName: WireObject, Hashable {
    public let tenant: String
    public let administrator: String

    public init(tenant: String, administrator: String) {
        self.tenant = tenant
        self.administrator = administrator
    }

    /// Longer than any address may be (RFC 5321, 4.5.3.1), and any slug.
    static let label = Schema.text(upTo: 320)

    public static let schema = ObjectSchema(
        .init("tenant", label, "The tenant's slug."),
        .init("administrator", label, "The administrator's exact e-mail address."))

    /// The member of parameters that names the actor.
    static func property(required: Bool) -> ObjectSchema.Property {
        ObjectSchema.Property(
            "actor", .component(Schema.Component(name: "Actor", schema: schema)),
            required
                ? "The administrator in whose name the service is asked."
                : "The administrator in whose name the service is asked. A caller with the operator grant may leave it out.",
            required: required)
    }
}
