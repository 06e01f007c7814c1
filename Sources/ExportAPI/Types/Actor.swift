/// Who asks: an administrator, by the tenant's slug and their exact e-mail address.
public struct Actor: ParamObject, Hashable {
    public let tenant: String
    public let administrator: String

    public init(tenant: String, administrator: String) {
        self.tenant = tenant
        self.administrator = administrator
    }

    public static let members: [String: (any ParamObject.Type)?] = ["tenant": nil, "administrator": nil]
}
