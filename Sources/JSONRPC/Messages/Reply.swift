/// The messages that the service sends: replies and notifications, without the line feed.
enum Reply {
    static func result(_ id: RequestID, _ json: [UInt8]) -> [UInt8] {
        var line = envelope(id)
        // Includes room for the end of the line, so that a large reply is not copied again.
        line.reserveCapacity(line.count + json.count + 16)
        line += "\"result\":".utf8
        line += json
        line.append(UInt8(ascii: "}"))
        return line
    }

    static func error(_ id: RequestID?, _ error: RPCError) -> [UInt8] {
        envelope(id) + Array("\"error\":".utf8) + error.json + [UInt8(ascii: "}")]
    }

    static func notification(_ method: String, _ params: [UInt8]) -> [UInt8] {
        Array("{\"jsonrpc\":\"2.0\",\"method\":\(JSONText.quoted(method)),\"params\":".utf8) + params + [UInt8(ascii: "}")]
    }

    static func batch(_ replies: [[UInt8]]) -> [UInt8] {
        var line: [UInt8] = [UInt8(ascii: "[")]
        line.reserveCapacity(replies.reduce(3) { $0 + $1.count + 1 })
        for (index, reply) in replies.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line += reply
        }
        line.append(UInt8(ascii: "]"))
        return line
    }

    private static func envelope(_ id: RequestID?) -> [UInt8] {
        Array("{\"jsonrpc\":\"2.0\",\"id\":".utf8) + (id?.json ?? Array("null".utf8)) + [UInt8(ascii: ",")]
    }
}

/// A complete line for a peer that is refused before a ``Connection`` serves it.
package enum OneLineReply {
    /// An error without an id, with the line feed.
    package static func error(_ error: RPCError) -> [UInt8] {
        Reply.error(nil, error) + [UInt8(ascii: "\n")]
    }
}
