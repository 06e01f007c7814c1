internal import CLibPQ
private import Glibc

extension PostgresConnection {
    /// Starts a binary COPY. Read it to its end with ``copyNext(into:atLeast:query:)``.
    ///
    /// COPY takes no parameters: values reach it through transaction-local settings, read back by `current_setting`.
    func copyStart(_ query: Query) async throws {
        precondition(!isCopying, "one COPY at a time on a connection")
        precondition(query.parameters.isEmpty, "COPY takes no parameters")
        try await withCancellation { connection in
            try connection.send(query, binary: true)
            let result = try connection.nextResult(of: query.name, deadline: connection.deadline())
            guard let result else { throw connection.handle.lost(during: query.name) }
            guard result.status == PGRES_COPY_OUT else {
                let fault = result.fault(query: query.name)
                try connection.drain(query.name)
                throw fault
            }
            connection.isCopying = true
        }
    }

    /// Reads the next rows of the COPY: whole messages, until there are `size` bytes or none are left.
    ///
    /// The server is read only when this is asked for, so a slow reader slows the server and nothing piles up here.
    ///
    /// - Parameter buffer: emptied and filled again, so that one buffer serves a whole export.
    /// - Returns: whether the COPY has ended (with its trailer in the buffer).
    func copyNext(into buffer: CopyBuffer, atLeast size: Int, query: String) async throws -> Bool {
        precondition(isCopying, "no COPY is running")
        buffer.removeAll()
        return try await withCancellation { connection in
            let deadline = connection.deadline()
            while buffer.count < size {
                var message: UnsafeMutablePointer<CChar>?
                let length = PQgetCopyData(connection.handle.raw, &message, 1)
                if length > 0, let message {
                    buffer.append(message, Int(length))
                    PQfreemem(message)
                } else if length == 0 {
                    try connection.waitForInput(of: query, deadline: deadline)
                } else {
                    connection.isCopying = false
                    guard let result = try connection.nextResult(of: query, deadline: deadline) else {
                        throw connection.handle.lost(during: query)
                    }
                    let fault = result.status == PGRES_COMMAND_OK ? nil : result.fault(query: query)
                    try connection.drain(query)
                    if let fault { throw fault }
                    return true
                }
            }
            return false
        }
    }

    /// Gives up a COPY that was not read to its end.
    func copyAbandon() {
        guard isCopying else { return }
        isCopying = false
        canceller.cancel()
        let until = ContinuousClock.now + cancelGrace
        while !isDead {
            var message: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(handle.raw, &message, 1)
            PQfreemem(message)
            if length > 0 { continue }
            if length < 0 { break }
            guard PGHandle.poll(PQsocket(handle.raw), Int16(POLLIN), until: until), PQconsumeInput(handle.raw) == 1
            else {
                isDead = true
                break
            }
        }
        if !isDead { _ = try? drain("copy") }
        if !canceller.disarm(within: cancelGrace) { isDead = true }
    }
}
