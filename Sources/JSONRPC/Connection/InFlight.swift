/// Which requests of a connection run, which wait, and which are turned away.
///
/// A pure value: the connection asks, and does what it is told. Requests beyond the window are parked in order; control
/// requests pass them, so that a client can cancel what keeps the window full.
struct InFlight {
    enum Admission: Equatable {
        case start
        case park
        case refuse
        case duplicate
    }

    private let window: Int
    private let parkingSpace: Int
    private var running: Set<RequestID> = []
    private var parked: [RequestID] = []
    private var controls: Set<RequestID> = []

    init(window: Int, parkingSpace: Int) {
        self.window = window
        self.parkingSpace = parkingSpace
    }

    var isIdle: Bool { running.isEmpty && parked.isEmpty && controls.isEmpty }

    func isRunning(_ id: RequestID) -> Bool {
        running.contains(id) || controls.contains(id)
    }

    mutating func admit(_ id: RequestID, isControl: Bool) -> Admission {
        guard !running.contains(id), !parked.contains(id), !controls.contains(id) else { return .duplicate }
        if isControl {
            guard controls.count < window else { return .refuse }
            controls.insert(id)
            return .start
        }
        if running.count < window {
            running.insert(id)
            return .start
        }
        guard parked.count < parkingSpace else { return .refuse }
        parked.append(id)
        return .park
    }

    /// A request has been answered: gives the parked one that takes its place.
    mutating func finish(_ id: RequestID) -> RequestID? {
        if controls.remove(id) != nil { return nil }
        running.remove(id)
        guard !parked.isEmpty, running.count < window else { return nil }
        let next = parked.removeFirst()
        running.insert(next)
        return next
    }

    /// Takes a request out that has not begun. False for one that runs or is unknown.
    mutating func unpark(_ id: RequestID) -> Bool {
        guard let index = parked.firstIndex(of: id) else { return false }
        parked.remove(at: index)
        return true
    }
}
