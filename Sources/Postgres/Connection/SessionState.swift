/// Which statements a session has prepared. A pure value.
///
/// Names are the program's own. A statement that takes other words for other work, such as a page's size, makes another text, so
/// their number is bounded; what is over is sent as it is.
struct PreparedStatements {
    private static let most = 64
    /// A plan that was made while a table was empty is no plan for a full one, and the server makes a new one only when its
    /// statistics change.
    private static let planAge: Duration = .seconds(300)

    private var names: [String: String] = [:]
    /// Names that were given out, those of statements too that could not be prepared: the server may know them all the same.
    private var given = 0
    /// When the oldest of the server's plans may have been made.
    private var plansFrom: ContinuousClock.Instant?

    func name(of sql: String) -> String? { names[sql] }

    /// - Returns: nil where there are enough.
    mutating func newName() -> String? {
        guard names.count < Self.most else { return nil }
        defer { given += 1 }
        return "s\(given)"
    }

    mutating func keep(_ name: String, for sql: String, at now: ContinuousClock.Instant) {
        names[sql] = name
        plansFrom = plansFrom ?? now
    }

    /// Whether the server's plans are to be made anew.
    func arePlansOld(at now: ContinuousClock.Instant) -> Bool {
        plansFrom.map { $0.duration(to: now) >= Self.planAge } ?? false
    }

    mutating func renewPlans(at now: ContinuousClock.Instant) {
        plansFrom = now
    }
}
