/// What one of the doctor's looks has shown.
struct Finding: Encodable {
    enum Level: String, Encodable {
        case ok
        /// Works, and somebody should look at it.
        case warning
        case failure
    }

    let level: Level
    /// What was looked at, in a word or two.
    let about: String
    let found: String
    /// What to do; nil where nothing is to be done.
    let remedy: String?

    static func ok(_ about: String, _ found: String) -> Finding {
        Finding(level: .ok, about: about, found: found, remedy: nil)
    }

    static func warning(_ about: String, _ found: String, _ remedy: String) -> Finding {
        Finding(level: .warning, about: about, found: found, remedy: remedy)
    }

    static func failure(_ about: String, _ found: String, _ remedy: String) -> Finding {
        Finding(level: .failure, about: about, found: found, remedy: remedy)
    }

    var lines: TerminalText {
        let mark: TerminalText =
            switch level {
            case .ok: "ok  "
            case .warning: "look"
            case .failure: "BAD "
            }
        let name = TerminalText(escaping: about).padded(to: 9)
        return "\(mark)  \(name) \(found)" + (remedy.map { "\n                → \($0)" } ?? "")
    }
}
