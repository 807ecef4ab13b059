package import NIOCore

/// Makes a fragment (moof and mdat) of each frame, for MediaSource and for HTTP. One per stream: its fragments are shared by all
/// viewers.
///
/// How long a picture lasts is not known before the next one comes, and holding it back would be lag. Browsers take a distance
/// of more than twice the stated duration for a hole, and show nothing until the next key frame; too long a duration does no
/// harm to them. So more is stated than what was measured last. VLC adds durations up, and its picture would run away from the
/// sound: it takes a fragment's own time where the number before is missing, so every other number is left out.
package struct FMP4FrameMuxer: Sendable {
    /// Numbers have to rise (ISO/IEC 14496-12 8.8.5), no more.
    static let sequenceStep: UInt32 = 2
    /// Before any distance is known: 10 pictures a second.
    private static let firstStep: Int64 = 9000
    /// A longer distance is a gap and no measure of the next one; players take what is stated for what they have.
    private static let largestStep: Int64 = 2 * 90_000
    /// So much longer than the last distances, and this long at least: less is a camera that is not regular.
    private static let gapFactor: Int64 = 4
    private static let shortestGap: Int64 = 22_500

    private var description: FMP4Description
    private var timeline: FMP4Timeline
    private var sound: FMP4SoundTrack?
    /// Of the next fragment.
    private var sequence: UInt32 = 1
    /// The largest of the last distances of pictures.
    private var step = Self.firstStep
    /// The last distance that was so much longer that it may have been a gap.
    private var gap: Int64 = 0
    private var counts = FMP4Statistics()

    /// - Parameter origin: the time of frames, in 1/90000 s, that becomes 0; nil: that of the first frame.
    package init(_ description: FMP4Description, origin: Int64? = nil) {
        self.description = description
        timeline = FMP4Timeline(origin: origin)
        sound = description.audio.map { FMP4SoundTrack($0, start: nil) }
    }

    /// What was left out, filled in and set right.
    package var statistics: FMP4Statistics {
        var statistics = counts
        statistics.timeJumps &+= timeline.jumps
        return statistics
    }

    /// Goes on with another description in mid-stream: time and fragments' numbers run on. The new init segment is to be sent
    /// before the next fragment.
    package mutating func change(to description: FMP4Description) {
        sound = FMP4SoundTrack.continuing(sound, as: description.audio, timeline)
        self.description = description
    }

    /// Appends the fragments of a frame: one usually; none or several of sound that is cut anew (G.711), and more where silence
    /// is filled in.
    ///
    /// - Returns: whether anything was appended.
    @discardableResult
    package mutating func mux(_ frame: Frame, into bytes: inout ByteBuffer) -> Bool {
        let start = bytes.writerIndex
        switch frame.track {
        case .video where description.hasVideo && frame.payload.readableBytes > 0:
            writePicture(frame, into: &bytes)
            sound?.fill(timeline, statistics: &counts)
        case .audio where sound != nil:
            sound?.receive(frame, timeline: &timeline, statistics: &counts)
        case .video, .audio:
            counts.droppedFrames &+= 1
        }
        sound?.writeFragments(sequence: &sequence, into: &bytes)
        return bytes.writerIndex > start
    }

    private mutating func writePicture(_ frame: Frame, into bytes: inout ByteBuffer) {
        let last = timeline.lastVideo
        let time = timeline.place(video: frame.dts, soundEnd: sound?.end)
        if let last { measure(time &- last, isFirst: last == timeline.videoStart) }
        let size = frame.payload.readableBytes
        let length = FMP4Fragment.headLength &+ FMP4Fragment.trackLength &+ FMP4Fragment.pictureLength
        bytes.reserveCapacity(minimumWritableBytes: length &+ 8 &+ size)
        FMP4Fragment.writeHead(length: length, sequence: nextSequence(), into: &bytes)
        FMP4Fragment.writeTrack(
            FMP4Description.videoTrack,
            time: time,
            count: 1,
            dataOffset: length &+ 8,
            into: &bytes
        )
        FMP4Fragment.writePicture(
            duration: step &* 7 / 4,
            size: size,
            isKey: frame.isKey,
            composition: FMP4Fragment.composition(frame),
            into: &bytes
        )
        FMP4Fragment.writeDataHead(size: size, into: &bytes)
        bytes.writeImmutableBuffer(frame.payload)
    }

    /// Cameras' distances vary: the largest counts for some pictures more, falling by a sixteenth each. One that is much longer
    /// is a gap and says nothing of the next one, until another like it follows.
    private mutating func measure(_ distance: Int64, isFirst: Bool) {
        // A picture whose time went back.
        guard distance > 1 else { return }
        let measured = min(distance, Self.largestStep)
        if isFirst {
            step = measured
        } else if measured > max(step &* Self.gapFactor, Self.shortestGap) {
            step = max(step, min(measured, gap))
            gap = measured
        } else {
            step = max(measured, min(step &- step >> 4, measured &* 4))
            gap &-= gap >> 4
        }
    }

    private mutating func nextSequence() -> UInt32 {
        defer { sequence &+= Self.sequenceStep }
        return sequence
    }
}
