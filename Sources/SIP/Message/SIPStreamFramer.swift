/// Cuts messages out of a TCP byte stream by Content-Length (RFC 3261 18.3).
package struct SIPStreamFramer {
    package enum Event: Equatable, Sendable {
        case message(SIPMessage)
        /// Line ends between messages.
        case keepAlive
        /// A message that cannot be read, but whose end is known: the stream goes on.
        case unreadable(SIPParseError)
    }

    package struct Statistics: Equatable, Sendable {
        /// Bytes between messages that belonged to none.
        package var skippedBytes = 0
    }

    /// Content-Length above this ends the connection: small before registration, 8 MB for a known device (2.2).
    package var bodyLimit: Int
    package private(set) var statistics = Statistics()

    private var buffer: [UInt8] = []
    /// Where the unread bytes start, and how far they were searched for the header's end.
    private var start = 0
    private var searched = 0
    /// A head that was read and waits for its body.
    private var pending: (message: SIPMessage, bodyStart: Int, length: Int)?
    private var failed = false

    package init(bodyLimit: Int = 512 * 1024) {
        self.bodyLimit = bodyLimit
    }

    /// Bytes held for a message that is not complete.
    package var bufferedBytes: Int { buffer.count - start }

    /// Takes bytes as they come and gives the messages that are complete.
    ///
    /// - Throws: where the stream cannot be followed any more; close the connection.
    package mutating func receive(_ bytes: [UInt8]) throws(SIPParseError) -> [Event] {
        guard !failed else { throw .badStartLine }
        buffer.append(contentsOf: bytes)
        var events: [Event] = []
        do throws(SIPParseError) {
            while let event = try next() { events.append(event) }
        } catch {
            failed = true
            buffer = []
            pending = nil
            // What was complete before the fault still counts; the fault comes again with the next bytes.
            if events.isEmpty { throw error }
            return events + [.unreadable(error)]
        }
        compact()
        return events
    }

    /// True after a fault: nothing more will come out, the connection should be closed.
    package var isBroken: Bool { failed }

    private mutating func next() throws(SIPParseError) -> Event? {
        if pending == nil {
            if skipKeepAlive() { return .keepAlive }
            guard let end = headEnd() else {
                guard buffer.count - start <= SIPMessage.maximumHeaderBytes else {
                    throw .headerTooLong(limit: SIPMessage.maximumHeaderBytes)
                }
                return nil
            }
            if let event = try readHead(end: end) { return event }
        }
        guard let head = pending, buffer.count - head.bodyStart >= head.length else { return nil }
        pending = nil
        var message = head.message
        start = head.bodyStart + head.length
        searched = start
        message.setBody(Array(buffer[head.bodyStart..<start]))
        return .message(message)
    }

    private mutating func readHead(end: Int) throws(SIPParseError) -> Event? {
        guard end - start <= SIPMessage.maximumHeaderBytes else {
            throw .headerTooLong(limit: SIPMessage.maximumHeaderBytes)
        }
        var parser = SIPHeadParser(bytes: Array(buffer[start..<end]))
        do throws(SIPParseError) {
            let message = try parser.parseHead()
            // RFC 3261 20.14 makes Content-Length mandatory here; without it the message ends with its header.
            let length = parser.contentLength ?? 0
            guard length <= bodyLimit else { throw .bodyTooLong(length: length, limit: bodyLimit) }
            pending = (message, end, length)
            return nil
        } catch {
            switch error {
            case .badStartLine:
                // The body of a message without Content-Length, or noise: go on after the empty line, within reason.
                statistics.skippedBytes += end - start
                guard statistics.skippedBytes <= SIPMessage.maximumHeaderBytes else { throw error }
                resynchronise(end: end)
                return .unreadable(error)
            case .missing, .malformed:
                let length = parser.contentLength ?? 0
                guard length <= bodyLimit, buffer.count - end >= length else { throw error }
                start = end + length
                searched = start
                return .unreadable(error)
            default:
                throw error
            }
        }
    }

    /// Goes on at the next line that looks like a start line, else after the empty line.
    private mutating func resynchronise(end: Int) {
        var line = start
        while line < end {
            guard let newline = buffer[line..<end].firstIndex(of: 10) else { break }
            line = newline + 1
            let next = buffer[line..<end].prefix { $0 != 10 && $0 != 13 }
            if next.starts(with: "SIP/2.0 ".utf8) || next.suffix(8).elementsEqual(" SIP/2.0".utf8) {
                statistics.skippedBytes -= end - line
                start = line
                searched = line
                return
            }
        }
        start = end
        searched = end
    }

    private mutating func skipKeepAlive() -> Bool {
        var index = start
        while index < buffer.count, buffer[index] == 13 || buffer[index] == 10 || buffer[index] == 0 { index += 1 }
        if buffer[index...].starts(with: [0x6A, 0x61, 0x4B, 0x00]) { index += 4 }
        guard index > start else { return false }
        start = index
        searched = index
        return true
    }

    /// The index after the empty line.
    private mutating func headEnd() -> Int? {
        var index = max(searched, start)
        while let newline = buffer[index...].firstIndex(of: 10) {
            let next = newline + 1
            if next < buffer.count, buffer[next] == 10 { return next + 1 }
            if next + 1 < buffer.count, buffer[next] == 13, buffer[next + 1] == 10 { return next + 2 }
            if next + 1 >= buffer.count {
                searched = newline
                return nil
            }
            index = next
        }
        searched = buffer.count
        return nil
    }

    private mutating func compact() {
        if start == buffer.count {
            // An idle connection holds no buffer.
            buffer = []
        } else if start > 4096 || start > buffer.count / 2 {
            buffer.removeFirst(start)
            pending = pending.map { ($0.message, $0.bodyStart - start, $0.length) }
        } else {
            return
        }
        searched = max(0, searched - start)
        start = 0
    }
}
