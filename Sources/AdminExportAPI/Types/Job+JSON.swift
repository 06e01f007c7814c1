/// What can write its JSON by itself, some ten times as fast as an encoder does.
public protocol DirectlyEncoded {
    /// The same object that an encoder would write.
    var json: [UInt8] { get }
}

extension JobReply: DirectlyEncoded {
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("job") { writer in job.write(to: &writer) }
        }
        return writer.bytes
    }
}

extension ExportStart.Result: DirectlyEncoded {
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("job") { writer in job.write(to: &writer) }
            writer.member("replayed", replayed)
        }
        return writer.bytes
    }
}

extension Job {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("tenant", tenant)
            writer.member("requestedBy", requestedBy)
            writer.member("includeDisabled", includeDisabled)
            writer.member("includeReferences", includeReferences)
            writer.member("state", state.rawValue)
            writer.member("revision", revision)
            writer.member("progress") { writer in
                writer.object { writer in
                    writer.member("rowsDone", progress.rowsDone)
                    writer.member("rowsTotal", progress.rowsTotal)
                }
            }
            writer.member("queuePosition", queuePosition)
            writer.member("cancelRequested", cancelRequested)
            writer.member("createdAt", createdAt)
            writer.member("startedAt", startedAt)
            writer.member("attemptStartedAt", attemptStartedAt)
            writer.member("finishedAt", finishedAt)
            writer.member("expiresAt", expiresAt)
            writer.member("fileName", fileName)
            writer.member("size", size)
            writer.member("sha256", sha256)
            writer.member("rows", rows)
            writer.member("sheets", sheets)
            writer.member("warnings") { writer in
                writer.array(warnings) { writer, warning in
                    writer.object { writer in
                        writer.member("kind", warning.kind)
                        writer.member("count", warning.count)
                    }
                }
            }
            guard let error else { return writer.member("error", nil as String?) }
            writer.member("error") { writer in
                writer.object { writer in
                    writer.member("kind", error.kind)
                    writer.member("message", error.message)
                }
            }
        }
    }
}

/// JSON as bytes (RFC 8259), in the order in which it is written.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Something stands before the next member or element.
    private var needsComma = false

    init() {
        bytes.reserveCapacity(1_024)
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func array<Element>(_ elements: [Element], _ body: (inout JSONWriter, Element) -> Void) {
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for element in elements {
            if needsComma { bytes.append(UInt8(ascii: ",")) }
            body(&self, element)
            needsComma = true
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    /// - Parameter name: one that needs no escape.
    mutating func member(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        body(&self)
        needsComma = true
    }

    mutating func member(_ name: StaticString, _ value: String?) {
        member(name) { writer in
            if let value { writer.string(value) } else { writer.null() }
        }
    }

    mutating func member(_ name: StaticString, _ value: Int?) {
        member(name) { writer in
            if let value { writer.bytes.append(contentsOf: String(value).utf8) } else { writer.null() }
        }
    }

    mutating func member(_ name: StaticString, _ value: Bool) {
        member(name) { $0.bytes.append(contentsOf: (value ? "true" : "false").utf8) }
    }

    private mutating func null() {
        bytes.append(contentsOf: "null".utf8)
    }

    private mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { text in
            if text.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) {
                for byte in text { escaped(byte) }
            } else {
                bytes.append(contentsOf: text)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        case 0..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        default:
            bytes.append(byte)
        }
    }
}
