package import NIOCore

/// Makes fragments of many samples with exact durations, for parts of HLS and for recordings. One per stream or file.
package struct FMP4PartMuxer: Sendable {
    /// More is dropped, and counted, until the part is finished.
    package static let maximumBytes = 16 << 20
    package static let maximumSamples = 4096

    private struct Picture: Sendable {
        var time: Int64
        var composition: Int32
        var isKey: Bool
        var payload: ByteBuffer
    }

    private var description: FMP4Description
    private var timeline: FMP4Timeline
    private var pictures: [Picture] = []
    private var pictureBytes = 0
    private var sound: FMP4SoundTrack?
    /// Of the next fragment.
    private var sequence: UInt32 = 1
    /// A picture had no room: those that refer to it are of no use.
    private var waitsForKey = false
    private var counts = FMP4Statistics()
    /// What the part that was finished last is.
    package private(set) var lastPart = FMP4Part()

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

    /// Nothing has been gathered since the last part.
    package var isEmpty: Bool { samples == 0 }
    /// From the beginning of the first picture to that of the last, in 1/90000 s; without pictures, to the end of sound.
    package var duration: Int64 {
        if let first = pictures.first, let last = pictures.last { return last.time &- first.time }
        return sound?.duration ?? 0
    }
    /// Of the samples, headers not counted.
    package var bytes: Int { pictureBytes &+ (sound?.bytes.readableBytes ?? 0) }
    package var samples: Int { pictures.count &+ (sound?.samples.count ?? 0) }
    /// Begins with a key frame, or the stream has sound only.
    package var isIndependent: Bool {
        description.hasVideo ? pictures.first?.isKey ?? false : !isEmpty
    }

    /// How long the part is when it ends before the picture of that time, in 1/90000 s.
    package func duration(until nextVideoDTS: Int64) -> Int64 {
        guard let first = pictures.first else { return duration }
        return next(nextVideoDTS) &- first.time
    }

    /// Goes on with another description: time and fragments' numbers run on. What was gathered is to be finished before; it is
    /// dropped otherwise.
    package mutating func change(to description: FMP4Description) {
        counts.overflow &+= samples
        clear()
        sound = FMP4SoundTrack.continuing(sound, as: description.audio, timeline)
        self.description = description
        waitsForKey = false
    }

    /// Adds the samples of a frame to the part.
    package mutating func append(_ frame: Frame) {
        let size = frame.payload.readableBytes
        let isPicture = frame.track == .video
        guard size > 0, isPicture ? description.hasVideo : sound != nil else {
            counts.droppedFrames &+= 1
            return
        }
        // What comes of a frame of sound is known behind it only: a little more than the limit does no harm.
        guard samples < Self.maximumSamples, bytes &+ size <= Self.maximumBytes,
            !(isPicture && waitsForKey && !frame.isKey)
        else {
            if isPicture { waitsForKey = true }
            counts.overflow &+= 1
            return
        }
        guard isPicture else {
            sound?.receive(frame, timeline: &timeline, statistics: &counts)
            return
        }
        waitsForKey = false
        pictures.append(
            Picture(
                time: timeline.place(video: frame.dts, soundEnd: sound?.end),
                composition: FMP4Fragment.composition(frame),
                isKey: frame.isKey,
                payload: frame.payload
            )
        )
        pictureBytes &+= size
        sound?.fill(timeline, statistics: &counts)
    }

    /// Appends what was gathered as one moof, with a traf for each track, and mdat.
    ///
    /// - Parameter nextVideoDTS: the time of the picture that will be appended next, which gives the last one its exact
    ///   duration; nil at the end of a stream: it lasts as long as the one before.
    /// - Returns: whether anything was appended; `lastPart` says what.
    @discardableResult
    package mutating func finishPart(nextVideoDTS: Int64?, into bytes: inout ByteBuffer) -> Bool {
        guard !isEmpty else { return false }
        let soundCount = sound?.samples.count ?? 0
        var length = FMP4Fragment.headLength
        if !pictures.isEmpty {
            length &+= FMP4Fragment.trackLength &+ pictures.count &* FMP4Fragment.pictureLength
        }
        if soundCount > 0 { length &+= FMP4Fragment.trackLength &+ soundCount &* FMP4Fragment.soundLength }
        let size = self.bytes
        bytes.reserveCapacity(minimumWritableBytes: length &+ 8 &+ size)
        FMP4Fragment.writeHead(length: length, sequence: sequence, into: &bytes)
        sequence &+= 1
        let end = pictures.last.map { last in nextVideoDTS.map { next($0) } ?? last.time &+ timeline.step }
        if let end { writePictures(dataOffset: length &+ 8, end: end, into: &bytes) }
        sound?.writeRun(dataOffset: length &+ 8 &+ pictureBytes, into: &bytes)
        FMP4Fragment.writeDataHead(size: size, into: &bytes)
        for picture in pictures { bytes.writeImmutableBuffer(picture.payload) }
        sound?.writeData(into: &bytes)
        lastPart = FMP4Part()
        lastPart.bytes = length &+ 8 &+ size
        lastPart.samples = samples
        lastPart.isIndependent = isIndependent
        lastPart.start = pictures.first?.time ?? sound?.start ?? 0
        lastPart.duration = end.map { $0 &- lastPart.start } ?? duration
        clear()
        return true
    }

    private func writePictures(dataOffset: Int, end: Int64, into bytes: inout ByteBuffer) {
        guard let first = pictures.first else { return }
        FMP4Fragment.writeTrack(
            FMP4Description.videoTrack,
            time: first.time,
            count: pictures.count,
            dataOffset: dataOffset,
            into: &bytes
        )
        for (index, picture) in pictures.enumerated() {
            let next = index &+ 1 < pictures.count ? pictures[index &+ 1].time : end
            FMP4Fragment.writePicture(
                duration: next &- picture.time,
                size: picture.payload.readableBytes,
                isKey: picture.isKey,
                composition: picture.composition,
                into: &bytes
            )
        }
    }

    /// The time that the next picture will have.
    private func next(_ dts: Int64) -> Int64 {
        var timeline = timeline
        return timeline.place(video: dts, soundEnd: sound?.end)
    }

    private mutating func clear() {
        pictures.removeAll(keepingCapacity: true)
        pictureBytes = 0
        sound?.clear()
    }
}

/// A finished part.
package struct FMP4Part: Hashable, Sendable {
    /// Where it begins in the time of the file, and how long it is, in 1/90000 s: by the picture, or by sound alone.
    package var start: Int64 = 0
    package var duration: Int64 = 0
    /// Of moof and mdat.
    package var bytes = 0
    package var samples = 0
    /// Begins with a key frame, or has sound only.
    package var isIndependent = false

    package init() {}
}
