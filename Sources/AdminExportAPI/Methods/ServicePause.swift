/// Stops the queue.
public enum ServicePause: Method {
    public static let name = "service.pause"
    public typealias Params = NoMembers
    public typealias Result = NoMembers

    public static let summary =
        "Stops the queue: no worker takes another job. Exports can still be asked for, and what runs goes on to its end."
    public static let details = "For operators of all tenants. Of a queue that stands still already: nothing."
    public static let errors: [ErrorKind] = [.permissionDenied, .unavailable]
    public static let examples = [Example<Self>("Before maintenance", NoMembers(), NoMembers())]
}
