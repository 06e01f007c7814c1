/// Ends a subscription.
public enum ExportUnwatch: Method {
    public static let name = "export.unwatch"

    public struct Params: WireObject {
        public let subscription: String

        public init(subscription: String) {
            self.subscription = subscription
        }

        public static let schema = ObjectSchema(
            .init("subscription", ExportWatch.subscriptionSchema, "What export.watch gave."))
    }

    public typealias Result = NoMembers

    /// A subscription ends with its connection.
    public static func isRepeatable(_ params: Params) -> Bool { false }

    public static let summary = "Ends a subscription: no notification follows the answer."
    public static let details = "One that has ended already, or never was, is no error."
    public static let examples = [
        Example<Self>("Enough of it", .init(subscription: "s1"), NoMembers())
    ]
}
