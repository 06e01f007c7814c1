/// Which requests of a connection run, which wait, and which are turned away.
///
/// A pure value: the connection asks, and does what it is told. What is counted is a unit, a request or a whole batch, and
/// known by a number. Units beyond the window are parked in order; control requests pass them, so that a client can cancel
/// what keeps the window full. A unit keeps its place until its reply has gone, but an id is free as soon as the reply is
/// made: whoever uses it again has the reply.
struct InFlight {
    enum Admission: Equatable {
        case start
        case park
        case refuse
    }

    private let window: Int
    private let parkingSpace: Int
    private var running = 0
    private var controls = 0
    private var parked: [Int] = []
    /// The unit of each id that is not answered yet.
    private var units: [RequestID: Int] = [:]

    init(window: Int, parkingSpace: Int) {
        self.window = window
        self.parkingSpace = parkingSpace
    }

    var isIdle: Bool { running == 0 && controls == 0 && parked.isEmpty }

    /// Takes an id for a unit; false where it is taken.
    mutating func reserve(_ id: RequestID, for unit: Int) -> Bool {
        guard units[id] == nil else { return false }
        units[id] = unit
        return true
    }

    /// The unit that an unanswered request belongs to.
    func unit(of id: RequestID) -> Int? { units[id] }

    mutating func release(_ id: RequestID) { units[id] = nil }

    mutating func admit(_ unit: Int, isControl: Bool) -> Admission {
        if isControl {
            guard controls < window else { return .refuse }
            controls += 1
            return .start
        }
        if running < window {
            running += 1
            return .start
        }
        guard parked.count < parkingSpace else { return .refuse }
        parked.append(unit)
        return .park
    }

    /// A unit's reply has gone: gives the parked unit that takes the place.
    mutating func finish(isControl: Bool) -> Int? {
        if isControl {
            controls -= 1
            return nil
        }
        running -= 1
        guard !parked.isEmpty, running < window else { return nil }
        running += 1
        return parked.removeFirst()
    }

    /// Takes a unit out that has not begun. False for one that runs or is unknown.
    mutating func unpark(_ unit: Int) -> Bool {
        guard let index = parked.firstIndex(of: unit) else { return false }
        parked.remove(at: index)
        return true
    }
}
