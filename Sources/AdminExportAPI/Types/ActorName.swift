/// The administrator in whose name a caller asks.
public struct ActorName: WireObject, Hashable {
    /// The tenant's slug.
    public let tenant: String
    /// The administrator's exact e-mail address.
    public let administrator: String

    /// An administrator of a tenant. Nothing is looked up here.
    public init(tenant: String, administrator: String) {
        self.tenant = tenant
        self.administrator = administrator
    }

    /// Longer than any e-mail address (RFC 5321, 4.5.3.1) and any slug.
    static let label = Schema.text(upTo: 320)

    /// The members on the wire.
    public static let schema = ObjectSchema(
        .init("tenant", label, "The tenant's slug."),
        .init("administrator", label, "The administrator's exact e-mail address."))

    /// The member of parameters that names the actor.
    static func property(required: Bool) -> ObjectSchema.Property {
        ObjectSchema.Property(
            "actor", .component(Schema.Component(name: "Actor", schema: schema)),
            required
                ? "The administrator in whose name the caller acts."
                : "The administrator in whose name the caller acts. Only a caller with the grant operator may omit it.",
            required: required)
    }
}
