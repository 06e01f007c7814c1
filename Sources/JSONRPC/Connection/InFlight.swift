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
    /// Requests whose reply is on its way. They keep their place, but their id may come again: whoever sends it has the reply.
    private var answering = 0
    private var answeringControls = 0

    init(window: Int, parkingSpace: Int) {
        self.window = window
        self.parkingSpace = parkingSpace
    }

    var isIdle: Bool {
        running.isEmpty && parked.isEmpty && controls.isEmpty && answering == 0 && answeringControls == 0
    }

    func isRunning(_ id: RequestID) -> Bool {
        running.contains(id) || controls.contains(id)
    }

    mutating func admit(_ id: RequestID, isControl: Bool) -> Admission {
        guard !running.contains(id), !parked.contains(id), !controls.contains(id) else { return .duplicate }
        if isControl {
            guard controls.count + answeringControls < window else { return .refuse }
            controls.insert(id)
            return .start
        }
        if running.count + answering < window {
            running.insert(id)
            return .start
        }
        guard parked.count < parkingSpace else { return .refuse }
        parked.append(id)
        return .park
    }

    /// The reply of a request is ready to go.
    mutating func answer(_ id: RequestID) {
        if controls.remove(id) != nil {
            answeringControls += 1
        } else if running.remove(id) != nil {
            answering += 1
        }
    }

    /// A reply has gone: gives the parked request that takes the place.
    mutating func finish(isControl: Bool) -> RequestID? {
        if isControl {
            answeringControls -= 1
            return nil
        }
        answering -= 1
        guard !parked.isEmpty, running.count + answering < window else { return nil }
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
