import Testing

@testable import Sockets

@Suite struct ActivationTests {
    @Test("The descriptors with the name are selected; if none has the name, all are")
    func names() {
        func chosen(_ names: [Substring]) -> [Int] {
            names.indices.filter { InheritedSockets.choose(named: "rpc", names, at: $0) }
        }
        #expect(chosen(["rpc"]) == [0])
        #expect(chosen(["metrics", "rpc"]) == [1])
        #expect(chosen(["unknown"]) == [0])
        #expect(chosen(["adminexport.socket"]) == [0])
        #expect(chosen(["rpc", "rpc"]) == [0, 1])
        #expect(InheritedSockets.choose(named: "rpc", [], at: 0))
    }

    @Test("A process cannot distinguish callers in a namespace that maps only root and its own user")
    func namespaces() {
        #expect(UserNamespace.isConfined(map: "         0          0          1\n       999        999          1\n"))
        #expect(UserNamespace.isConfined(map: "0 1000 1\n"))
        #expect(!UserNamespace.isConfined(map: "         0          0 4294967295\n"))
        #expect(!UserNamespace.isConfined(map: "0 524288 65536\n"), "a container's own users")
        #expect(!UserNamespace.isConfined(map: ""), "a kernel without user namespaces")
        #expect(!UserNamespace.isConfined)
    }
}
