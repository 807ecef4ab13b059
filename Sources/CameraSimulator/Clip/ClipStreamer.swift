internal import Media
package import NIOCore

/// Plays a clip as PS over RTP, round and round with continuous timestamps, paced by the clip's own times. Video and audio
/// loop each by themselves, so neither has a gap where the other ends.
package struct ClipStreamer {
    private let clip: Clip
    private var muxer: PSMuxer
    private var packetizer: RTPPacketizer
    private var pack: [UInt8] = []
    private var startAt: NIODeadline
    private var pictures: Int64 = 0
    private var sounds: Int64 = 0

    /// A stall longer than this (a suspended process) is skipped, not caught up in a burst.
    private static let catchUpLimit = TimeAmount.seconds(1)
    private static let clock: Int64 = 90_000

    package init(clip: Clip, ssrc: UInt32, sequenceNumber: UInt16, startAt: NIODeadline) {
        self.clip = clip
        self.startAt = startAt
        packetizer = RTPPacketizer(ssrc: ssrc, sequenceNumber: sequenceNumber)
        muxer = PSMuxer()
        muxer.mux(.video(clip.video), into: &pack)
        if let audio = clip.audio { muxer.mux(.audio(audio.parameters), into: &pack) }
    }

    /// When the next frame is due.
    package var deadline: NIODeadline {
        startAt + .nanoseconds(Self.nanoseconds(min(pictureTime, soundTime ?? .max)))
    }

    /// Hands over the packets of all frames that are due; each is valid for its call.
    package mutating func advance(to now: NIODeadline, send: (RawSpan) -> Void) {
        let late = now - deadline
        if late > Self.catchUpLimit { startAt = startAt + late }
        while deadline <= now {
            if let soundTime, let audio = clip.audio, soundTime <= pictureTime {
                let payload = audio.frames[Int(sounds % Int64(audio.frames.count))]
                emit(Frame(track: .audio, dts: soundTime, pts: soundTime, isKey: true, payload: payload), send)
                sounds += 1
            } else {
                let picture = clip.pictures[Int(pictures % Int64(clip.pictures.count))]
                let time = pictureTime
                emit(
                    Frame(track: .video, dts: time, pts: time, isKey: picture.isKey, payload: picture.payload),
                    send
                )
                pictures += 1
            }
        }
    }

    private mutating func emit(_ frame: Frame, _ send: (RawSpan) -> Void) {
        pack.removeAll(keepingCapacity: true)
        guard muxer.mux(.frame(frame), into: &pack) else { return }
        // A span of `self.pack` would hold all of `self`.
        let pack = self.pack
        packetizer.packetize(pack.span.bytes, timestamp: UInt32(truncatingIfNeeded: frame.pts), send: send)
    }

    /// In 1/90000 s since the start.
    private var pictureTime: Int64 { pictures * Self.clock / Int64(clip.frameRate) }

    private var soundTime: Int64? {
        guard let audio = clip.audio else { return nil }
        return sounds * Int64(audio.samplesPerFrame) * Self.clock / Int64(max(audio.parameters.sampleRate, 1))
    }

    private static func nanoseconds(_ ticks: Int64) -> Int64 {
        ticks / 9 * 100_000 + ticks % 9 * 100_000 / 9
    }
}
