/// The requests of a connection that have no reply yet: decides which run, which wait, and which are refused. A pure value.
///
/// It counts units. A unit is a request or a whole batch, and has a number. There are two lanes, so that a client can send
/// control requests even when the usual lane is full. A unit keeps its place until its reply has been sent. An id is free as
/// soon as the reply is made, because a peer that uses it again has received the reply.
///
/// The state of a request is one entry of ``requests``. It is created with its unit and does not outlive it: ``finish(_:)``,
/// ``cancel(_:)`` and ``dropParked()`` remove a unit together with its entries, and a refused unit has none.
struct InFlight<Content: Sendable, Running: Sendable>: Sendable {
    enum Admission: Equatable {
        /// The unit starts now, and has this number.
        case start(Int)
        /// The unit waits for a place.
        case park
        /// There is no room, and nothing of the unit is stored.
        case refuse
    }

    /// The result of a cancellation.
    enum Cancellation {
        /// No such request is in flight.
        case unknown
        /// The request has not started and will not start. Its unit answers it.
        case noted
        /// The request runs; the connection has to cancel this task.
        case running(Running)
        /// The unit had not started and will not start. The connection has to answer the request, with its id as sent.
        case dropped(RequestID)
    }

    private struct Request: Sendable {
        let unit: Int
        var isCancelled = false
        var running: Running?
        /// Whether the request may take as long as its caller wants to wait.
        var isLong = false
    }

    private struct Unit: Sendable {
        let ids: [RequestID]
        let isControl: Bool
        let isBatch: Bool
        var isParked: Bool
        /// nil after the unit has started.
        var content: Content?
    }

    /// Units that run, up to `window`, and units that wait in order, up to `parkingSpace`.
    private struct Lane: Sendable {
        let window: Int
        let parkingSpace: Int
        var running = 0
        var parked: [Int] = []

        var hasRoom: Bool { running < window || parked.count < parkingSpace }
    }

    /// Control requests are short. More at the same time would only take threads from other requests.
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

    /// Whether no unit runs or waits.
    var isIdle: Bool { units.isEmpty }

    /// The numbers of requests and of units in the table.
    var count: (requests: Int, units: Int) { (requests.count, units.count) }

    /// Whether a request with this id has no reply yet.
    func isTaken(_ id: RequestID) -> Bool { requests[id] != nil }

    /// Whether a unit would be admitted.
    private func hasRoom(isControl: Bool) -> Bool { isControl ? control.hasRoom : usual.hasRoom }

    // MARK: Units

    /// Admits a unit, which starts now or when another unit finishes; or refuses it and stores nothing.
    ///
    /// - Parameters:
    ///   - ids: the ids of the unit's requests. Each must be free.
    ///   - content: stored until ``take(_:)``.
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

    /// The content of a unit that has not started.
    func content(of number: Int) -> Content? { units[number]?.content }

    /// Takes the content of a unit that starts. nil if it was already taken, or if the unit was cancelled before.
    mutating func take(_ number: Int) -> Content? { units[number]?.content.take() }

    /// Removes a unit whose reply has been sent. An unknown number has no effect.
    ///
    /// - Returns: the number of the parked unit that starts in its place, if any.
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

    /// Removes all parked units.
    mutating func dropParked() {
        for number in usual.parked + control.parked { _ = forget(number) }
        usual.parked = []
        control.parked = []
    }

    private mutating func forget(_ number: Int) -> Unit? {
        guard let unit = units.removeValue(forKey: number) else { return nil }
        // A free id may already belong to another unit. `answered` checks that.
        for id in unit.ids { answered(id, of: number) }
        return unit
    }

    private mutating func withLane<Result>(_ isControl: Bool, _ body: (inout Lane) -> Result) -> Result {
        isControl ? body(&control) : body(&usual)
    }

    // MARK: Requests

    /// Starts a request of a unit that runs.
    ///
    /// - Returns: nil if the request was cancelled before.
    mutating func begin(_ id: RequestID, of unit: Int, isLong: Bool, _ start: () -> Running) -> Running? {
        guard let request = requests[id], request.unit == unit, !request.isCancelled else { return nil }
        let running = start()
        requests[id]?.running = running
        requests[id]?.isLong = isLong
        return running
    }

    /// Frees the id of a request whose reply has been made.
    mutating func answered(_ id: RequestID, of unit: Int) {
        if requests[id]?.unit == unit { requests[id] = nil }
    }

    /// Cancels a request.
    mutating func cancel(_ id: RequestID) -> Cancellation {
        guard let request = requests[id], let unit = units[request.unit] else { return .unknown }
        if unit.content != nil, !unit.isBatch {
            if unit.isParked {
                withLane(unit.isControl) { $0.parked.removeAll { $0 == request.unit } }
                _ = forget(request.unit)
            } else {
                // The task that serves the unit calls `finish`. Until then the unit keeps its place.
                units[request.unit]?.content = nil
                requests[id] = nil
            }
            return .dropped(unit.ids[0])
        }
        if let running = request.running { return .running(running) }
        requests[id]?.isCancelled = true
        return .noted
    }

    var running: [Running] { requests.values.compactMap(\.running) }

    /// The running requests that may take as long as their callers want to wait.
    var waiting: [Running] { requests.values.compactMap { $0.isLong ? $0.running : nil } }
}
