/// The program's own files are not as they should be.
struct ResourceFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
