/// What most methods are given: one job, and who asks.
public struct JobParams: WireObject {
    /// May be left out by a caller with the `operator` grant, who then acts for nobody.
    public let actor: ActorName?
    /// The job's id.
    public let job: String

    public init(actor: ActorName?, job: String) {
        self.actor = actor
        self.job = job
    }

    static let job = ObjectSchema.Property("job", .uuid, "The job's id.")

    public static let schema = ObjectSchema(ActorName.property(required: false), job)
}
