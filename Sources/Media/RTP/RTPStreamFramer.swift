import Wire

/// How RTP packets are laid into a TCP connection.
package enum RTPStreamFraming: String, Equatable, Sendable {
    /// RFC 4571: the length in 2 bytes. What the standard asks for.
    case rfc4571 = "rfc4571"
    /// RTSP interleaving: `$`, a channel, the length in 2 bytes.
    case interleaved = "interleaved"
    /// The length in 4 bytes.
    case length32 = "length32"

    var headerLength: Int {
        self == .rfc4571 ? 2 : 4
    }
}

/// Why a media connection is of no use. The socket layer closes it and tells the user.
package enum RTPStreamFailure: Error, Equatable, Sendable {
    /// The camera sends SIP to the media port: its "SIP port" setting points here. The first line, at most 80 bytes.
    case sipOnMediaPort(String)
    /// A megabyte without two packets in a row. Cameras with broken framing play over UDP.
    case noPackets(skippedBytes: Int)
}

/// Takes RTP and RTCP packets out of a TCP stream, whatever the framing, and finds them again when it is lost.
package struct RTPStreamFramer {
    package struct Statistics: Equatable, Sendable {
        package var packets = 0
        package var resynchronisations = 0
        package var skippedBytes = 0
    }

    private static let largestPacket = 65_000
    private static let largestSearch = 1 << 20
    private static let mostCandidates = 64

    /// Nil until the first packet has shown it.
    package private(set) var framing: RTPStreamFraming?
    package private(set) var failure: RTPStreamFailure?
    package private(set) var statistics = Statistics()

    /// The beginning of a packet that is not complete; while searching, all that may still hold one.
    private var pending: [UInt8] = []
    private var isSearching = false
    private var skippedInSearch = 0
    /// Offsets in `pending` that may be packets, and how far it was looked through.
    private var candidates: [Int] = []
    private var searchedTo = 0
    /// With many candidates the next look waits for a quarter more bytes, so that a hostile stream cannot make it quadratic.
    private var nextSearch = 0
    private var lastSource: (ssrc: UInt32, payloadType: UInt8)?
    /// Packets since the framing was chosen: it is kept after two.
    private var confirmations = 0

    package init() {}

    /// Takes what the connection gave and hands each whole packet to `deliver`, valid for the call.
    ///
    /// - Returns: why the connection should be closed, if it should.
    package mutating func receive(_ bytes: RawSpan, deliver: (RawSpan) -> Void) -> RTPStreamFailure? {
        if let failure { return failure }
        var at = 0
        while failure == nil {
            if isSearching {
                pending.append(bytes.extracting(at..<bytes.byteCount))
                at = bytes.byteCount
                guard pending.count >= nextSearch, search() else { break }
                replay(deliver)
                continue
            }
            if pending.isEmpty {
                at += frames(bytes, from: at, deliver)
                if !isSearching { pending.append(bytes.extracting(at..<bytes.byteCount)) }
                if isSearching { continue }
                break
            }
            // Complete the packet that the last read cut, and no more: the rest is read in place.
            guard at < bytes.byteCount else { break }
            let wanted = max(missing(), 1)
            let taken = min(wanted, bytes.byteCount - at)
            pending.append(bytes.extracting(at..<at + taken))
            at += taken
            if missing() == 0 { replay(deliver) }
        }
        return failure
    }

    /// Reads `pending` from its beginning; what is left of it stays there.
    private mutating func replay(_ deliver: (RawSpan) -> Void) {
        let bytes = pending
        pending = []
        let used = bytes.withSpan { frames($0, from: 0, deliver) }
        if used < bytes.count || isSearching { pending = Array(bytes[used...]) }
        if pending.isEmpty, bytes.capacity <= 4096 {
            pending = bytes
            pending.removeAll(keepingCapacity: true)
        }
    }

    /// How many bytes `pending` still needs to be worth another look.
    private func missing() -> Int {
        pending.withSpan { span in
            let header = framing?.headerLength ?? Self.bytesToDetect
            guard span.byteCount >= header else { return header - span.byteCount }
            guard let framing, let length = Self.length(span, 0, framing) else { return 0 }
            return max(header + length - span.byteCount, 0)
        }
    }

    private static let bytesToDetect = 6

    /// Delivers the whole packets from `from` on and returns how many bytes were used. Turns to searching at nonsense.
    private mutating func frames(_ bytes: RawSpan, from: Int, _ deliver: (RawSpan) -> Void) -> Int {
        var at = from
        while at < bytes.byteCount {
            if framing == nil, !detect(bytes, at) { break }
            guard let framing else { break }
            let header = framing.headerLength
            guard at + header <= bytes.byteCount else { break }
            guard let length = Self.length(bytes, at, framing), length <= Self.largestPacket,
                Self.isPlausible(bytes, at + header, length: length)
            else {
                lose(bytes, at)
                break
            }
            let end = at + header + length
            guard end <= bytes.byteCount else { break }
            guard isExpected(bytes, at + header, end: end, framing) else {
                lose(bytes, at)
                break
            }
            note(bytes, at + header, length: length)
            deliver(bytes.extracting(at + header..<end))
            at = end
        }
        return at - from
    }

    /// The framing at the connection's beginning. False while too little is known, or after a failure.
    private mutating func detect(_ bytes: RawSpan, _ at: Int) -> Bool {
        guard at + Self.bytesToDetect <= bytes.byteCount else { return false }
        if let text = SIPOnMediaPort.firstLine(bytes, at) {
            failure = .sipOnMediaPort(text)
            return false
        }
        let looksInterleaved = bytes.uint8(at: at) == 0x24 && bytes.uint8(at: at + 4).map { $0 >> 6 } == 2
        let looksPlain = bytes.uint8(at: at + 2).map { $0 >> 6 } == 2
        if looksPlain, bytes.uint16(at: at) != 0 {
            framing = .rfc4571
        } else if looksInterleaved {
            framing = .interleaved
        } else if bytes.uint16(at: at) == 0, bytes.uint8(at: at + 4).map({ $0 >> 6 }) == 2 {
            framing = .length32
        } else {
            framing = .rfc4571
        }
        confirmations = 0
        return true
    }

    private static func length(_ bytes: RawSpan, _ at: Int, _ framing: RTPStreamFraming) -> Int? {
        switch framing {
        case .rfc4571: bytes.uint16(at: at).map(Int.init)
        case .interleaved: bytes.uint8(at: at) == 0x24 ? bytes.uint16(at: at + 2).map(Int.init) : nil
        case .length32: bytes.uint32(at: at).map(Int.init)
        }
    }

    /// Whether the first bytes at `at` (as far as they are there) may begin an RTP or RTCP packet of `length`.
    private static func isPlausible(_ bytes: RawSpan, _ at: Int, length: Int) -> Bool {
        if let first = bytes.uint8(at: at), first >> 6 != 2 { return false }
        guard let second = bytes.uint8(at: at + 1) else { return length >= 4 }
        return (192...223).contains(second) ? length >= 4 : length >= 12
    }

    /// A packet of another source is believed only if another packet follows it, or nothing yet.
    private func isExpected(_ bytes: RawSpan, _ at: Int, end: Int, _ framing: RTPStreamFraming) -> Bool {
        guard let lastSource, let type = bytes.uint8(at: at + 1), !(192...223).contains(type),
            let ssrc = bytes.uint32(at: at + 8), ssrc != lastSource.ssrc, type & 0x7F != lastSource.payloadType
        else { return true }
        guard let length = Self.length(bytes, end, framing) else { return end >= bytes.byteCount }
        return length <= Self.largestPacket && Self.isPlausible(bytes, end + framing.headerLength, length: length)
    }

    private mutating func note(_ bytes: RawSpan, _ at: Int, length: Int) {
        statistics.packets += 1
        skippedInSearch = 0
        confirmations = min(confirmations + 1, 2)
        if let type = bytes.uint8(at: at + 1), !(192...223).contains(type), let ssrc = bytes.uint32(at: at + 8) {
            lastSource = (ssrc, type & 0x7F)
        }
    }

    private mutating func lose(_ bytes: RawSpan, _ at: Int) {
        if let text = SIPOnMediaPort.firstLine(bytes, at) {
            failure = .sipOnMediaPort(text)
            return
        }
        isSearching = true
        statistics.resynchronisations += 1
    }

    /// Looks in `pending` for two packets in a row; on success drops what precedes them and ends the search.
    ///
    /// Each offset is looked at once, and again only while more bytes could make a packet of it.
    private mutating func search() -> Bool {
        let framings: [RTPStreamFraming] =
            if let framing, confirmations == 2 { [framing] } else { [.rfc4571, .interleaved, .length32] }
        var open: [Int] = []
        let hit: (offset: Int, framing: RTPStreamFraming)? = pending.withSpan { span in
            // Offset 0 is where the framing was lost.
            for at in [candidates, Array(max(searchedTo, 1)..<max(span.byteCount, searchedTo, 1))].joined() {
                var isOpen = false
                for framing in framings {
                    switch pair(span, at, framing) {
                    case .yes: return (at, framing)
                    case .unknown: isOpen = true
                    case .no: break
                    }
                }
                if isOpen { open.append(at) }
            }
            return nil
        }
        candidates = []
        searchedTo = 0
        nextSearch = 0
        if let hit {
            drop(hit.offset)
            framing = hit.framing
            isSearching = false
            return true
        }
        // Keep the byte before a possible packet: offset 0 is never one.
        let dropped = max((open.first ?? pending.count) - 1, 0)
        drop(dropped)
        candidates = open.map { $0 - dropped }
        searchedTo = pending.count
        if candidates.count > Self.mostCandidates { nextSearch = pending.count + pending.count / 4 }
        if skippedInSearch + pending.count > Self.largestSearch {
            failure = .noPackets(skippedBytes: skippedInSearch + pending.count)
            pending = []
            candidates = []
        }
        return false
    }

    private mutating func drop(_ count: Int) {
        pending.removeFirst(min(count, pending.count))
        statistics.skippedBytes += count
        skippedInSearch += count
    }

    private enum Answer {
        case yes
        case no
        case unknown
    }

    /// Whether a packet of the known source lies at `at` and another one directly behind it.
    private func pair(_ bytes: RawSpan, _ at: Int, _ framing: RTPStreamFraming) -> Answer {
        var at = at
        var source = lastSource?.ssrc
        for _ in 0..<2 {
            let start = at + framing.headerLength
            guard let length = Self.length(bytes, at, framing) else {
                let mayCome =
                    at + framing.headerLength > bytes.byteCount
                    && (framing != .interleaved || (bytes.uint8(at: at) ?? 0x24) == 0x24)
                return mayCome ? .unknown : .no
            }
            guard (12...Self.largestPacket).contains(length), Self.isPlausible(bytes, start, length: length) else {
                return .no
            }
            guard let type = bytes.uint8(at: start + 1), let ssrc = bytes.uint32(at: start + 8) else { return .unknown }
            if !(192...223).contains(type) {
                if let source, source != ssrc { return .no }
                source = ssrc
            }
            at = start + length
        }
        return .yes
    }
}

/// Recognises SIP text where RTP should be.
package enum SIPOnMediaPort {
    private static let beginnings: [[UInt8]] = [
        "REGISTER ", "MESSAGE sip", "SIP/2.0 ", "INVITE sip", "NOTIFY sip", "OPTIONS sip", "SUBSCRIBE", "BYE sip",
        "ACK sip",
        "INFO sip",
    ].map { Array($0.utf8) }

    /// The first line of the SIP message at `at`, or nil if the bytes there are none. Six bytes are enough.
    package static func firstLine(_ bytes: RawSpan, _ at: Int = 0) -> String? {
        guard let first = bytes.uint8(at: at), (0x41...0x5A).contains(first) else { return nil }
        let available = bytes.array(at..<min(at + 80, bytes.byteCount))
        guard available.count >= 6 else { return nil }
        for beginning in beginnings {
            let count = min(beginning.count, available.count)
            if available[..<count] == beginning[..<count] {
                let line = available.prefix { $0 != 13 && $0 != 10 }
                return String(decoding: line.map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
            }
        }
        return nil
    }
}
