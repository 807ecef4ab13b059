import NIOCore
import Wire

/// The sound of a program, gathered into PES packets.
struct TSSound: Sendable {
    /// So much sound fills a PES packet, unless a picture comes before: 80 ms, which a viewer waits for the sound at most. A packet
    /// a frame would cost 68 kbit/s more than AAC of 64 kbit/s has itself, this way it is 13 to 30 (pictures at 15 or 25 a second).
    static let longest: Int64 = 7200
    /// Without pictures the sound carries the PCRs: what gathers for longer than between two of them needs packets for them alone.
    static let longestWithClock = TSClock.interval
    /// A frame that is this far from where the last one ended gets a time of its own: less than a frame, more than the
    /// milliseconds of RTMP round.
    private static let tolerance: Int64 = 450

    let stream: TSElementaryStream
    private let parameters: AudioParameters
    private let adts: ADTSTemplate?
    /// What is gathered and not yet written.
    private(set) var bytes = ByteBuffer()
    /// The time of the first gathered frame, and the end of the last.
    private(set) var start: Int64 = 0
    private(set) var end: Int64 = 0

    /// Nil when a transport stream cannot carry it.
    init?(_ parameters: AudioParameters) {
        guard let stream = TSElementaryStream(parameters) else { return nil }
        self.stream = stream
        self.parameters = parameters
        adts = parameters.codec == .aac ? ADTSTemplate(parameters) : nil
    }

    var isEmpty: Bool { bytes.readableBytes == 0 }

    func isFull(carriesClock: Bool) -> Bool {
        end &- start >= (carriesClock ? Self.longestWithClock : Self.longest)
    }

    /// Whether a PES packet can carry the frame at all.
    func canCarry(_ payload: ByteBuffer) -> Bool {
        let count = payload.readableBytes
        guard count > 0, count &+ overhead(count) <= PESHeader.largestPayload else { return false }
        return adts.map { $0.canCarry(count) } ?? true
    }

    /// Whether the frame can go behind those that are gathered: only the first of them has a time.
    func canAppend(_ payload: ByteBuffer, at time: Int64) -> Bool {
        let count = payload.readableBytes
        let gap = time &- end
        return isEmpty
            || abs(gap) <= Self.tolerance && bytes.readableBytes &+ count &+ overhead(count) <= PESHeader.largestPayload
    }

    mutating func append(_ payload: ByteBuffer, at time: Int64) {
        if isEmpty {
            start = time
            end = time
        }
        end &+= duration(payload)
        adts?.append(payloadLength: payload.readableBytes, to: &bytes)
        if parameters.codec == .opus { Self.appendOpusControl(payload.readableBytes, to: &bytes) }
        bytes.writeImmutableBuffer(payload)
    }

    mutating func clear() { bytes.clear() }

    private func overhead(_ count: Int) -> Int {
        switch parameters.codec {
        case .aac: adts?.length ?? 0
        case .opus: 3 &+ count / 255
        case .g711a, .g711u, .mp3: 0
        }
    }

    /// opus_control_header: a prefix of eleven bits, no trim and no extension, the size in steps of 255.
    private static func appendOpusControl(_ count: Int, to bytes: inout ByteBuffer) {
        bytes.writeInteger(0x7FE0 as UInt16)
        bytes.writeRepeatingByte(0xFF, count: count / 255)
        bytes.writeInteger(UInt8(truncatingIfNeeded: count % 255))
    }

    /// In 1/90000 s.
    private func duration(_ payload: ByteBuffer) -> Int64 {
        let count = payload.readableBytes
        switch parameters.codec {
        case .aac:
            return 1024 * 90_000 / Int64(adts?.sampleRate ?? 48_000)
        case .g711a, .g711u:
            let rate = min(max(parameters.sampleRate, 1), 1 << 20) &* min(max(parameters.channels, 1), 255)
            return Int64(count) &* 90_000 / Int64(rate)
        case .mp3:
            guard let header = MP3Header(payload.readableBytesSpan) else { return Self.longest }
            let frames = header.frameLength.map { max(count / max($0, 1), 1) } ?? 1
            return Int64(header.samples) &* 90_000 &* Int64(frames) / Int64(header.sampleRate)
        case .opus:
            return Self.opusDuration(payload.readableBytesSpan)
        }
    }

    /// RFC 6716 3.1 and 3.2: the frame's length by its configuration, their number by the code.
    private static func opusDuration(_ packet: RawSpan) -> Int64 {
        guard let toc = packet.uint8(at: 0) else { return longest }
        let configuration = Int(toc >> 3)
        // In units of 2.5 ms.
        let length: Int
        switch configuration {
        case 0..<12: length = [4, 8, 16, 24][configuration & 3]
        case 12..<16: length = [4, 8][configuration & 1]
        default: length = [1, 2, 4, 8][configuration & 3]
        }
        let frames = toc & 3 == 0 ? 1 : toc & 3 < 3 ? 2 : Int(packet.uint8(at: 1) ?? 1) & 0x3F
        return Int64(length &* max(frames, 1)) &* 225
    }
}
