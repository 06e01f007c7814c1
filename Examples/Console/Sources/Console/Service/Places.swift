internal import AdminExportAPI
import AdminExportClient
import Synchronization

/// Limits the number of concurrent uses, in total and for each user.
final class Places: Sendable {
    private let all: Int
    private let each: Int
    private let taken = Mutex<[ActorName: Int]>([:])

    init(all: Int, each: Int) {
        self.all = all
        self.each = each
    }

    func open(_ actor: ActorName) -> Bool {
        taken.withLock { taken in
            guard taken.values.reduce(0, +) < all, taken[actor, default: 0] < each else { return false }
            taken[actor, default: 0] += 1
            return true
        }
    }

    func close(_ actor: ActorName) {
        taken.withLock { taken in
            taken[actor] = taken[actor].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
    }
}
