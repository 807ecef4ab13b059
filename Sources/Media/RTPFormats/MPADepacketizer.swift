import NIOCore
import Wire

/// Takes MP3 out of RTP (RFC 2250 3.5): four bytes, then whole frames or a part of one.
struct MPADepacketizer: Sendable {
    private static let headerLength = 4
    /// 320 kbit/s at 8 kHz would be this much.
    private static let largestFrame = 8192

    private var fragment: (timestamp: UInt32, length: Int, bytes: [UInt8])?
    private(set) var malformed = 0
    /// Layer I or II: passed on, but no MP3.
    private(set) var hasOtherLayer = false

    mutating func discontinuity() {
        fragment = nil
    }

    /// - Returns: the header of the last whole frame.
    mutating func receive(
        _ payload: RawSpan,
        timestamp: UInt32,
        into units: inout [AudioUnit]
    ) -> MP3Header? {
        guard let offset = payload.uint16(at: 2) else {
            malformed += 1
            return nil
        }
        if offset > 0 { return gather(payload, offset: Int(offset), timestamp: timestamp, into: &units) }
        fragment = nil
        var header: MP3Header?
        var at = Self.headerLength
        var ticks: Int64 = 0
        while at < payload.byteCount {
            let rest = payload.extracting(at..<payload.byteCount)
            guard let found = MP3Header(rest), let length = found.frameLength, length > 0, length <= Self.largestFrame
            else {
                if MP3Header.isOtherLayer(rest) { hasOtherLayer = true }
                malformed += 1
                return header
            }
            guard length <= rest.byteCount else {
                fragment = (timestamp, length, rest.array(0..<rest.byteCount))
                return header
            }
            let duration = Int64(found.samples) * Int64(RTPFormat.videoClockRate) / Int64(found.sampleRate)
            units.append(AudioUnit(bytes: rest.array(0..<length), ticks: ticks, duration: duration))
            ticks += duration
            at += length
            header = found
        }
        return header
    }

    private mutating func gather(
        _ payload: RawSpan,
        offset: Int,
        timestamp: UInt32,
        into units: inout [AudioUnit]
    ) -> MP3Header? {
        guard let begun = fragment, begun.timestamp == timestamp, begun.bytes.count == offset,
            payload.byteCount > Self.headerLength
        else {
            fragment = nil
            malformed += 1
            return nil
        }
        fragment?.bytes.append(payload.extracting(Self.headerLength..<payload.byteCount))
        guard let gathered = fragment, gathered.bytes.count >= gathered.length else { return nil }
        fragment = nil
        let bytes = Array(gathered.bytes.prefix(gathered.length))
        guard let header = bytes.withSpan({ MP3Header($0) }) else { return nil }
        let duration = Int64(header.samples) * Int64(RTPFormat.videoClockRate) / Int64(header.sampleRate)
        units.append(AudioUnit(bytes: bytes, ticks: 0, duration: duration))
        return header
    }
}
