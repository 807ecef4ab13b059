package import NIOCore

/// The video and the audio of one session, with clocks that know of each other.
package struct ElementaryStreams {
    package var video: VideoTrack
    package var audio: AudioTrack

    package init(largestFrame: Int = 8 << 20, gatesOnLoss: Bool = true, audioFallback: AudioCodec = .g711a) {
        video = VideoTrack(largestFrame: largestFrame, gatesOnLoss: gatesOnLoss)
        audio = AudioTrack(fallback: audioFallback)
    }

    /// Tells the tracks the time of the RTP packet that is about to be read.
    @inline(__always)
    package mutating func beginPacket(rtpTimestamp: UInt32, now: NIODeadline) {
        video.packetTime = RawTime(rtpTimestamp: rtpTimestamp, arrival: now)
    }

    /// Before audio is emitted.
    mutating func alignAudio() {
        audio.picture = video.anchor
    }

    /// After audio was emitted.
    mutating func alignVideo() {
        video.neighbourOffset = audio.clockOffset
    }

    package mutating func discontinuity(into events: inout [MediaEvent]) {
        video.discontinuity(into: &events)
        audio.discontinuity()
    }
}
