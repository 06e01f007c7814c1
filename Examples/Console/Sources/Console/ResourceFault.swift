/// An error in the program's own resource files.
struct ResourceFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
