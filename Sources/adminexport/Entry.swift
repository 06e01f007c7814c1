private import ArgumentParser
private import Commands

@main
enum Entry {
    static func main() async {
        await AdminExport.main()
    }
}
