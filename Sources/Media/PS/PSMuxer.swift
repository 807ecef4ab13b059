import NIOCore
import Wire

/// Makes a program stream of frames: what a camera sends, and what goes to an upper platform.
///
/// One frame is one pack. Key frames are preceded by system header, map and parameter sets; large pictures are split into PES
/// packets of 65,472 bytes, of which only the first has a time, as Hikvision does it.
package struct PSMuxer: Sendable {
    package static let videoID: UInt8 = 0xE0
    package static let audioID: UInt8 = 0xC0
    private static let largestPayload = 65_472
    /// Without video there is no key frame to carry the map.
    private static let audioFramesPerMap = 50
    /// In units of 50 bytes/s: 8 Mbit/s.
    private static let muxRate: UInt32 = 20_000

    private var video: VideoParameters?
    private var audio: AudioParameters?
    private var audioFrames = 0
    private var needsMap = true
    private var scratch: [UInt8] = []

    package init() {}

    /// Notes parameters, and appends the pack of a frame to `output`.
    ///
    /// - Returns: whether anything was appended: not for parameters, nor for a codec that GB/T 28181 has no type for.
    @discardableResult
    package mutating func mux(_ event: MediaEvent, into output: inout [UInt8]) -> Bool {
        switch event {
        case .video(let parameters):
            video = parameters.codec.hasNALUnits ? parameters : nil
            needsMap = true
        case .audio(let parameters):
            audio = parameters.codec == .opus || parameters.codec == .mp3 ? nil : parameters
            needsMap = true
        case .frame(let frame):
            return frame.payload.readableBytesSpan.byteCount > 0 && mux(frame, into: &output)
        case .metadata:
            break
        }
        return false
    }

    private mutating func mux(_ frame: Frame, into output: inout [UInt8]) -> Bool {
        scratch.removeAll(keepingCapacity: true)
        switch frame.track {
        case .video:
            guard let video else { return false }
            writePack(dts: frame.dts, into: &output)
            if frame.isKey || needsMap { writeHeaders(into: &output) }
            if frame.isKey {
                for set in video.vps + video.sps + video.pps { Self.appendUnit(set, to: &scratch) }
            }
            appendUnits(of: frame.payload)
            writePackets(Self.videoID, pts: frame.pts, dts: frame.dts, into: &output)
        case .audio:
            guard let audio else { return false }
            writePack(dts: frame.dts, into: &output)
            if video == nil, needsMap || audioFrames % Self.audioFramesPerMap == 0 { writeHeaders(into: &output) }
            audioFrames &+= 1
            if audio.codec == .aac {
                let object = AudioSpecificConfig(audio.configuration)?.objectType ?? 2
                let header = ADTSHeader(
                    objectType: (1...4).contains(object) ? object : 2,
                    sampleRate: audio.sampleRate,
                    channels: audio.channels,
                    payloadLength: frame.payload.readableBytes
                )
                guard let bytes = header.bytes else { return false }
                scratch += bytes
            }
            scratch.append(frame.payload.readableBytesSpan)
            writePackets(Self.audioID, pts: frame.pts, dts: frame.pts, into: &output)
        }
        if scratch.capacity > 256 << 10 { scratch = [] }
        return true
    }

    private static func appendUnit(_ unit: [UInt8], to bytes: inout [UInt8]) {
        bytes += [0, 0, 0, 1]
        bytes += unit
    }

    /// Lengths become start codes.
    private mutating func appendUnits(of payload: ByteBuffer) {
        let span = payload.readableBytesSpan
        for range in LengthPrefixed.units(in: span) {
            scratch += [0, 0, 0, 1]
            scratch.append(span.extracting(range))
        }
    }

    private func writePack(dts: Int64, into output: inout [UInt8]) {
        let clock = UInt64(bitPattern: dts) & 0x1_FFFF_FFFF
        output += [0, 0, 1, 0xBA]
        output.append(0x44 | UInt8(clock >> 27 & 0x38) | UInt8(clock >> 28 & 3))
        output.append(UInt8(clock >> 20 & 0xFF))
        output.append(0x04 | UInt8(clock >> 12 & 0xF8) | UInt8(clock >> 13 & 3))
        output.append(UInt8(clock >> 5 & 0xFF))
        output.append(0x04 | UInt8(clock << 3 & 0xF8))
        output.append(0x01)
        output.append(UInt8(Self.muxRate >> 14 & 0xFF))
        output.append(UInt8(Self.muxRate >> 6 & 0xFF))
        output.append(UInt8(Self.muxRate << 2 & 0xFC) | 3)
        output.append(0xF8)
    }

    private mutating func writeHeaders(into output: inout [UInt8]) {
        needsMap = false
        writeSystemHeader(into: &output)
        writeMap(into: &output)
    }

    private func writeSystemHeader(into output: inout [UInt8]) {
        let count = (video == nil ? 0 : 1) + (audio == nil ? 0 : 1)
        output += [0, 0, 1, 0xBB, 0, UInt8(6 + 3 * count)]
        output += [0x80 | UInt8(Self.muxRate >> 15 & 0x7F), UInt8(Self.muxRate >> 7 & 0xFF)]
        output.append(UInt8(Self.muxRate << 1 & 0xFE) | 1)
        output += [audio == nil ? 0 : 4, video == nil ? 0x20 : 0x21, 0x7F]
        if video != nil { output += [Self.videoID, 0xE7, 0xFF] }
        if audio != nil { output += [Self.audioID, 0xC1, 0x00] }
    }

    private func writeMap(into output: inout [UInt8]) {
        var entries: [UInt8] = []
        if let video { entries += [PSStreamType.video(video.codec).byte, Self.videoID, 0, 0] }
        if let audio { entries += [PSStreamType.audio(audio.codec).byte, Self.audioID, 0, 0] }
        var map: [UInt8] = [0, 0, 1, 0xBC, 0, UInt8(10 + entries.count), 0xE0, 0xFF, 0, 0, 0, UInt8(entries.count)]
        map += entries
        let crc = Self.crc32(map)
        for shift in [24, 16, 8, 0] { map.append(UInt8(crc >> UInt32(shift) & 0xFF)) }
        output += map
    }

    /// CRC-32/MPEG-2, ISO/IEC 13818-1 annex A.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte) << 24
            for _ in 0..<8 { crc = crc & 0x8000_0000 == 0 ? crc << 1 : crc << 1 ^ 0x04C1_1DB7 }
        }
        return crc
    }

    private func writePackets(_ id: UInt8, pts: Int64, dts: Int64, into output: inout [UInt8]) {
        var at = 0
        while at < scratch.count {
            let end = min(at + Self.largestPayload, scratch.count)
            let times = at > 0 ? 0 : pts == dts ? 1 : 2
            let length = 3 + times * 5 + end - at
            output += [0, 0, 1, id, UInt8(length >> 8), UInt8(length & 0xFF)]
            output += [at == 0 ? 0x84 : 0x80, [0, 0x80, 0xC0][times], UInt8(times * 5)]
            if times > 0 { Self.write(pts, prefix: times == 1 ? 0x20 : 0x30, into: &output) }
            if times > 1 { Self.write(dts, prefix: 0x10, into: &output) }
            output += scratch[at..<end]
            at = end
        }
    }

    private static func write(_ time: Int64, prefix: UInt8, into output: inout [UInt8]) {
        let time = UInt64(bitPattern: time)
        output.append(prefix | UInt8(time >> 29 & 0x0E) | 1)
        output.append(UInt8(time >> 22 & 0xFF))
        output.append(UInt8(time >> 14 & 0xFE) | 1)
        output.append(UInt8(time >> 7 & 0xFF))
        output.append(UInt8(time << 1 & 0xFE) | 1)
    }
}
