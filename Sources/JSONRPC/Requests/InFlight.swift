/// The requests of a connection that have no answer yet: which run, which wait, and which are turned away.
///
/// A pure value: the connection asks, and does what it is told. What is counted is a unit, a request or a whole batch, and
/// known by a number. There are two lanes, so that a client can cancel what keeps the usual one full. A unit keeps its
/// place until its reply has gone, but an id is free as soon as the reply is made: a peer that reuses it has received the reply.
///
/// All that is known of a request is one entry of ``requests``. It comes into being with its unit and cannot outlive it:
/// ``finish(_:)``, ``cancel(_:)`` and ``dropParked()`` take a unit and its entries together, and what is refused has none.
struct InFlight<Content: Sendable, Running: Sendable>: Sendable {
    enum Admission: Equatable {
        /// With this number.
        case start(Int)
        case park
        case refuse
    }

    /// What a cancellation has come to.
    enum Cancellation {
        /// No such request is in flight.
        case unknown
        /// It has not begun, and will not: its unit answers it.
        case noted
        case running(Running)
        /// Its unit had not begun, and will not: to be answered, with its id as it was sent.
        case dropped(RequestID)
    }

    private struct Request: Sendable {
        let unit: Int
        var isCancelled = false
        var running: Running?
        /// May take as long as its caller likes.
        var isLong = false
    }

    private struct Unit: Sendable {
        let ids: [RequestID]
        let isControl: Bool
        let isBatch: Bool
        var isParked: Bool
        /// Until it begins.
        var content: Content?
    }

    /// Some run, some wait in order.
    private struct Lane: Sendable {
        let window: Int
        let parkingSpace: Int
        var running = 0
        var parked: [Int] = []

        var hasRoom: Bool { running < window || parked.count < parkingSpace }
    }

    /// Control requests are short: more at a time would only take the threads from others.
    private static var controlWindow: Int { 4 }

    private var usual: Lane
    private var control: Lane
    private var units: [Int: Unit] = [:]
    private var requests: [RequestID: Request] = [:]
    private var nextUnit = 0

    init(window: Int, parkingSpace: Int) {
        usual = Lane(window: window, parkingSpace: parkingSpace)
        control = Lane(window: Self.controlWindow, parkingSpace: parkingSpace)
    }

    /// Whether nothing runs and nothing waits.
    var isIdle: Bool { units.isEmpty }

    /// How many requests and units are known.
    var count: (requests: Int, units: Int) { (requests.count, units.count) }

    /// Whether a request with this id has no answer yet.
    func isTaken(_ id: RequestID) -> Bool { requests[id] != nil }

    /// Whether a unit would be admitted.
    private func hasRoom(isControl: Bool) -> Bool { isControl ? control.hasRoom : usual.hasRoom }

    // MARK: Units

    /// Takes a unit in, to be begun at once or when another finishes; or turns it away, and keeps nothing of it.
    ///
    /// - Parameters:
    ///   - ids: those of its requests; each is free.
    ///   - content: kept until ``take(_:)``.
    mutating func admit(_ ids: [RequestID], isControl: Bool, isBatch: Bool, _ content: Content) -> Admission {
        guard hasRoom(isControl: isControl) else { return .refuse }
        let number = nextUnit
        nextUnit += 1
        for id in ids where requests[id] == nil { requests[id] = Request(unit: number) }
        let starts = withLane(isControl) { lane in
            if lane.running < lane.window {
                lane.running += 1
                return true
            }
            lane.parked.append(number)
            return false
        }
        units[number] = Unit(ids: ids, isControl: isControl, isBatch: isBatch, isParked: !starts, content: content)
        return starts ? .start(number) : .park
    }

    /// The content of a unit that has not begun.
    func content(of number: Int) -> Content? { units[number]?.content }

    /// The content of a unit that is to begin, once; nil also where it was cancelled before.
    mutating func take(_ number: Int) -> Content? { units[number]?.content.take() }

    /// A unit's reply has gone: gives the one that takes its place. Nothing of the unit is kept; one that is unknown is nothing.
    mutating func finish(_ number: Int) -> Int? {
        guard let unit = forget(number) else { return nil }
        let next: Int? = withLane(unit.isControl) { lane in
            lane.running -= 1
            guard !lane.parked.isEmpty, lane.running < lane.window else { return nil }
            lane.running += 1
            return lane.parked.removeFirst()
        }
        if let next { units[next]?.isParked = false }
        return next
    }

    /// Forgets all that wait.
    mutating func dropParked() {
        for number in usual.parked + control.parked { _ = forget(number) }
        usual.parked = []
        control.parked = []
    }

    private mutating func forget(_ number: Int) -> Unit? {
        guard let unit = units.removeValue(forKey: number) else { return nil }
        // An id that is free already may be another unit's by now.
        for id in unit.ids { answered(id, of: number) }
        return unit
    }

    private mutating func withLane<Result>(_ isControl: Bool, _ body: (inout Lane) -> Result) -> Result {
        isControl ? body(&control) : body(&usual)
    }

    // MARK: Requests

    /// Begins a request of a unit that runs.
    ///
    /// - Returns: nil where it was cancelled before.
    mutating func begin(_ id: RequestID, of unit: Int, isLong: Bool, _ start: () -> Running) -> Running? {
        guard let request = requests[id], request.unit == unit, !request.isCancelled else { return nil }
        let running = start()
        requests[id]?.running = running
        requests[id]?.isLong = isLong
        return running
    }

    /// A request's reply has been made: its id is free.
    mutating func answered(_ id: RequestID, of unit: Int) {
        if requests[id]?.unit == unit { requests[id] = nil }
    }

    mutating func cancel(_ id: RequestID) -> Cancellation {
        guard let request = requests[id], let unit = units[request.unit] else { return .unknown }
        if let running = request.running { return .running(running) }
        if unit.content != nil, !unit.isBatch {
            if unit.isParked {
                withLane(unit.isControl) { $0.parked.removeAll { $0 == request.unit } }
                _ = forget(request.unit)
            } else {
                // The task that takes the unit finishes it; until then the unit keeps its place.
                units[request.unit]?.content = nil
                requests[id] = nil
            }
            return .dropped(unit.ids[0])
        }
        requests[id]?.isCancelled = true
        return .noted
    }

    var running: [Running] { requests.values.compactMap(\.running) }

    /// Those that may take as long as their callers like.
    var waiting: [Running] { requests.values.compactMap { $0.isLong ? $0.running : nil } }
}
