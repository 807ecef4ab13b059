import Foundation
import NIOCore

@testable import Media

extension TSMuxer {
    /// The packets of events; key frames, or all sound without video, start segments where told.
    mutating func packets(_ events: [MediaEvent], startsAtKeys: Bool = true) -> [UInt8] {
        var bytes = ByteBuffer()
        for event in events {
            var starts = false
            if case .frame(let frame) = event { starts = startsAtKeys && frame.track == .video && frame.isKey }
            mux(event, startsSegment: starts, into: &bytes)
        }
        flush(into: &bytes)
        return Array(bytes.readableBytesView)
    }
}

enum TSSamples {
    static let opus = AudioParameters(codec: .opus, sampleRate: 48_000, channels: 2)
    static let aac48 = AudioParameters(codec: .aac, sampleRate: 48_000, channels: 2, configuration: [0x11, 0x90])

    static func muxed(_ events: [MediaEvent]) -> [UInt8] {
        var muxer = TSMuxer()
        return muxer.packets(events)
    }

    static func picture(_ dts: Int64, isKey: Bool = false, size: Int = 1000, delay: Int64 = 0) -> MediaEvent {
        var frame = Synthetic.picture(.h264, Int(truncatingIfNeeded: dts & 0xFFFF), isKey: isKey, size: size, dts: dts)
        frame.pts = dts &+ delay
        return .frame(frame)
    }

    static func sound(_ time: Int64, size: Int = 160) -> MediaEvent {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(truncatingIfNeeded: time) % 251) | 1 }
        return .frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: ByteBuffer(bytes: bytes)))
    }

    /// The units of an Annex B access unit.
    static func units(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.withSpan { span in AnnexB.units(in: span).map { span.array($0) } }
    }
}
