private import Foundation
private import JSONRPC

/// What the scanner passes, Foundation's reader takes; and the places that it names hold values.
enum ScannerCase {
    static func run(_ input: [UInt8]) {
        let shape: JSONScanner.Shape
        do {
            shape = try JSONScanner.scan(input[...])
        } catch {
            if !(0...input.count).contains(error.offset) { fail("a fault is outside of the text") }
            return
        }
        do {
            _ = try JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
        } catch {
            fail("the scanner passed what is no JSON: \(error)")
        }
        let values: [Range<Int>] =
            switch shape {
            case .object(let members): members.map(\.value)
            case .array(let elements): elements
            case .string, .number, .literal: []
            }
        for value in values {
            guard (try? JSONScanner.scan(input[value])) != nil else { fail("a part is no value") }
        }
    }
}
