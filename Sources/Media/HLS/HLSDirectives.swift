package import NIOCore

/// The delivery directives of a playlist request (RFC 8216bis 6.2.5).
package struct HLSDirectives: Hashable, Sendable {
    /// `_HLS_msn`: answer when this segment is there.
    package var segment: Int?
    /// `_HLS_part`: answer when this part of it is there.
    package var part: Int?
    /// `_HLS_skip`: the reader has the older segments.
    package var skips: Bool

    package init(segment: Int? = nil, part: Int? = nil, skips: Bool = false) {
        self.segment = segment
        self.part = part
        self.skips = skips
    }
}

/// What to answer to a request, now.
package enum HLSAnswer: Hashable, Sendable {
    case playlist(ByteBuffer)
    /// - cacheSeconds: media never changes under its name.
    case media(ByteBuffer, contentType: String, cacheSeconds: Int)
    /// Ask again when the window has changed, and at that time at the latest.
    case wait(until: NIODeadline)
    /// An HTTP status, and why in words.
    case refuse(status: Int, reason: String)
}
