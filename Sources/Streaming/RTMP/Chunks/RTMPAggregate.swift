import NIOCore

/// Aggregate messages (RTMP 1.0 section 7.1.6): FLV tags in a row.
enum RTMPAggregate {
    /// Appends the messages inside. Their times count from the first one, which has the aggregate's own. A tag that does not fit
    /// ends the walk.
    static func split(_ aggregate: RTMPMessage, into messages: inout [RTMPMessage]) {
        var rest = aggregate.body
        var first: UInt32?
        while let word = rest.readInteger(as: UInt32.self),
            let time = rest.readInteger(as: UInt32.self),
            rest.readBytes(length: 3) != nil,
            let body = rest.readSlice(length: Int(word & 0xFF_FFFF))
        {
            rest.moveReaderIndex(forwardBy: min(4, rest.readableBytes))
            let timestamp = time >> 8 | time << 24
            let base = first ?? timestamp
            first = base
            let type = UInt8(truncatingIfNeeded: word >> 24)
            // An aggregate inside an aggregate, or control messages, have no business here.
            guard
                type == RTMPMessageType.audio.rawValue || type == RTMPMessageType.video.rawValue
                    || type == RTMPMessageType.dataAMF0.rawValue
            else { continue }
            messages.append(
                RTMPMessage(
                    type: type,
                    timestamp: aggregate.timestamp &+ (timestamp &- base),
                    streamID: aggregate.streamID,
                    body: body
                )
            )
        }
    }
}
