import AdminExportAPI
import Testing

@testable import AdminExportClient

@Suite struct ReconnectionTests {
    @Test(
        "The delays between attempts grow to at most two seconds, depend on chance, and end with the timeout",
        arguments: [0.0, 0.5, 1.0])
    func pauses(_ random: Double) {
        var reconnection = Reconnection(retryTimeout: .seconds(60))
        var now = ContinuousClock.now
        let start = now
        var pauses: [Duration] = []
        while let pause = reconnection.pause(at: now, random: random) {
            pauses.append(pause)
            now += pause
        }
        #expect(now - start == .seconds(60), "the last attempt is made when the timeout ends")
        #expect(pauses[0] == .milliseconds(50) * (1 - random / 2))
        #expect(
            zip(pauses, pauses.dropFirst()).dropLast().allSatisfy { $0 <= $1 } && pauses.allSatisfy { $0 <= .seconds(2) })
        #expect((30...80).contains(pauses.count))
    }

    @Test("A success restarts the timeout; with a timeout of zero there is no second attempt")
    func success() {
        var reconnection = Reconnection(retryTimeout: .seconds(1))
        let now = ContinuousClock.now
        #expect(reconnection.pause(at: now, random: 0) != nil)
        #expect(reconnection.pause(at: now + .seconds(1), random: 0) == nil)
        reconnection.succeed()
        #expect(reconnection.failures == 0 && reconnection.pause(at: now + .seconds(5), random: 0) == .milliseconds(50))
        var none = Reconnection(retryTimeout: .zero)
        #expect(none.pause(at: now, random: 0) == nil)
    }
}
