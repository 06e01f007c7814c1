/// Lets the queue go on.
public enum ServiceResume: Method {
    public static let name = "service.resume"
    public typealias Params = NoMembers
    public typealias Result = NoMembers

    public static let summary = "Lets the queue go on after service.pause."
    public static let details = "For operators of all tenants."
    public static let errors: [ErrorKind] = [.permissionDenied, .unavailable]
    public static let examples = [Example<Self>("After maintenance", NoMembers(), NoMembers())]
}
