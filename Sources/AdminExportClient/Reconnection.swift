/// When a call whose connection was lost is made again. A pure value: it is told the time and a random number.
///
/// Pauses double from 50 ms to 2 s and are shortened by up to a half at random, so that callers who lost a service together do not come
/// back together.
struct Reconnection {
    private static let first: Duration = .milliseconds(50)
    private static let longest: Duration = .seconds(2)

    /// How long attempts go on, counted from the first failure after the last success.
    let patience: Duration
    private var began: ContinuousClock.Instant?
    private(set) var failures = 0

    init(patience: Duration) {
        self.patience = patience
    }

    /// Something has worked.
    mutating func succeed() {
        began = nil
        failures = 0
    }

    /// - Parameter random: 0 to 1.
    /// - Returns: how long to wait before the next try; nil where there is to be none.
    mutating func pause(at now: ContinuousClock.Instant, random: Double) -> Duration? {
        let began = self.began ?? now
        self.began = began
        let left = patience - (now - began)
        guard left > .zero else { return nil }
        let full = failures < 6 ? min(Self.first * (1 << failures), Self.longest) : Self.longest
        failures += 1
        return min(full * (1 - random / 2), left)
    }
}
