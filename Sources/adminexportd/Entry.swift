private import ArgumentParser
private import Daemon

@main
enum Entry {
    static func main() async {
        await AdminExportDaemon.main()
    }
}
