private import Glibc

/// A file descriptor with one owner, closed when it goes.
package struct OwnedDescriptor: ~Copyable {
    package let raw: Int32

    package init(adopting raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Gives the descriptor away: it is not closed here any more.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }
}
