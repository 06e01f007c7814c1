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
                let other = try? JSONSerialization.jsonObject(with: Data(value.bytes), options: .fragmentsAllowed) as? String
                if other.map({ withoutMarks($0).elementsEqual(withoutMarks(text)) }) != true {
                    fail("a text is read otherwise")
                }
            }
            if let integer = value.integer, Double(integer) != Double(String(decoding: value.bytes, as: UTF8.self)) {
                fail("a number has another value")
            }
        }
    }

    /// The text without U+FEFF, which Foundation drops at the beginning of a text and after an escape.
    private static func withoutMarks(_ text: String) -> [Unicode.Scalar] { text.unicodeScalars.filter { $0 != "\u{FEFF}" } }
}
