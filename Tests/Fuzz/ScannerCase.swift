private import Foundation
private import JSONRPC

/// Foundation's reader accepts what the scanner accepts, and the ranges that the scanner names contain values.
enum ScannerCase {
    static func run(_ input: [UInt8]) {
        let root: JSONNode
        do {
            root = try JSONDocument(scanning: input).root
        } catch {
            if !(0...input.count).contains(error.offset) { fail("the offset of a fault is outside the text") }
            return
        }
        do {
            _ = try JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
        } catch {
            fail("the scanner accepted text that is not JSON: \(error)")
        }
        for value in root.elements + root.members.map(\.value) {
            guard (try? JSONDocument(scanning: Array(value.bytes))) != nil else { fail("a part is no value") }
            if let text = value.text(upTo: .max - 1) {
                // Foundation drops U+FEFF at the beginning of a text, so a letter goes before it.
                let lettered = Data([0x22, 0x78] + value.bytes.dropFirst())
                let other = try? JSONSerialization.jsonObject(with: lettered, options: .fragmentsAllowed) as? String
                if other.map({ $0.utf8.elementsEqual("x\(text)".utf8) }) != true { fail("a text is read otherwise") }
            }
            if let integer = value.integer, Double(integer) != Double(String(decoding: value.bytes, as: UTF8.self)) {
                fail("a number has another value")
            }
        }
    }
}
