private import Foundation

/// The function that libFuzzer calls repeatedly, with inputs that reach more and more code.
///
/// `FUZZ_TARGET` chooses the case that gets the input. A case that fails prints a sentence on standard error and stops the
/// program by a trap. libFuzzer then keeps the input in a file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: bytes, count: count))
    do {
        try Target.chosen.run(input)
    } catch {
        fail("unexpected error: \(error)")
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

/// SwiftPM renames the `main` of a program, so that the linker would not find libFuzzer's.
@_cdecl("fuzz_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var (count, arguments) = (count, arguments)
    return runDriver(&count, &arguments, fuzzOneInput)
}

private enum Target: String, CaseIterable {
    case escaper, writer, deflater, reader, framer, scanner, dispatcher, connection, descriptors

    static let chosen: Target = {
        let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
        guard let target = Target(rawValue: name) else {
            fail("FUZZ_TARGET must be one of \(allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return target
    }()

    func run(_ input: [UInt8]) throws {
        switch self {
        case .escaper: EscaperCase.run(input)
        case .writer: try WriterCase.run(input)
        case .deflater: DeflaterCase.run(input)
        case .reader: try ReaderCase.run(input)
        case .framer: FramerCase.run(input)
        case .scanner: ScannerCase.run(input)
        case .dispatcher: DispatcherCase.run(input)
        case .connection: ConnectionCase.run(input)
        case .descriptors: try DescriptorCase.run(input)
        }
    }
}

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("FAILED: \(message)\n".utf8))
    fatalError(message)
}
