private import ArgumentParser
private import CommandLine

@main
enum Entry {
    static func main() async {
        await AdminExport.main()
    }
}
