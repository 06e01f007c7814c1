import ArgumentParser
import Console

@main
struct Entry {
    static func main() async {
        await ConsoleCommand.main()
    }
}
