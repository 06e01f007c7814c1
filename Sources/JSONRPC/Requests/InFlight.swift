/// Which requests of a connection run, which wait, and which are turned away.
///
/// A pure value: the connection asks, and does what it is told. What is counted is a unit, a request or a whole batch, and
/// known by a number. There are two lanes, so that a client can cancel what keeps the usual one full. A unit keeps its
/// place until its reply has gone, but an id is free as soon as the reply is made: whoever uses it again has the reply.
struct InFlight {
    enum Admission: Equatable {
        case start
        case park
        case refuse
    }

    /// Some run, some wait in order.
    private struct Lane {
        let window: Int
        let parkingSpace: Int
        var running = 0
        var parked: [Int] = []

        init(window: Int, parkingSpace: Int) {
            self.window = window
            self.parkingSpace = parkingSpace
        }

        mutating func admit(_ unit: Int) -> Admission {
            if running < window {
                running += 1
                return .start
            }
            guard parked.count < parkingSpace else { return .refuse }
            parked.append(unit)
            return .park
        }

        mutating func finish() -> Int? {
            running -= 1
            guard !parked.isEmpty, running < window else { return nil }
            running += 1
            return parked.removeFirst()
        }
    }

    /// Control requests are short: more at a time would only take the threads from others.
    private static let controlWindow = 4

    private var usual: Lane
    private var control: Lane
    /// The unit of each id that is not answered yet.
    private var units: [RequestID: Int] = [:]

    init(window: Int, parkingSpace: Int) {
        usual = Lane(window: window, parkingSpace: parkingSpace)
        control = Lane(window: Self.controlWindow, parkingSpace: parkingSpace)
    }

    var isIdle: Bool { usual.running == 0 && control.running == 0 && usual.parked.isEmpty && control.parked.isEmpty }

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
        isControl ? control.admit(unit) : usual.admit(unit)
    }

    /// A unit's reply has gone: gives the parked unit that takes the place.
    mutating func finish(isControl: Bool) -> Int? {
        isControl ? control.finish() : usual.finish()
    }

    /// Takes a unit out that has not begun. False for one that runs or is unknown.
    mutating func unpark(_ unit: Int) -> Bool {
        if let index = usual.parked.firstIndex(of: unit) {
            usual.parked.remove(at: index)
        } else if let index = control.parked.firstIndex(of: unit) {
            control.parked.remove(at: index)
        } else {
            return false
        }
        return true
    }
}
