package import NIOCore

/// Makes a transport stream of one program out of frames (ISO/IEC 13818-1): what HTTP-TS, HLS and recordings consist of.
///
/// A picture is one PES packet, sound is gathered: until the next picture, or to 80 ms (40 ms without pictures). Gathered sound comes out with a later
/// event or with `flush`.
package struct TSMuxer: Sendable {
    /// PTS and DTS are the frame's times and this, in 1/90000 s.
    package static let timeOffset = TSClock.offset
    /// TR 101 290 1.3 and 1.5 call a table late after 0.5 s. Viewers and segments begin with tables anyhow: every 100 ms, as
    /// broadcasters do it, would only cost.
    private static let tableInterval: Int64 = 36_000
    /// The clock follows the sound this far behind when the pictures stay away.
    private static let patience: Int64 = 18_000
    private static let largestFrame = 32 << 20
    /// Tables, a PCR or two, the ends of picture and sound: room that is asked for at once.
    private static let packetsBeside = 8

    private var video: TSVideo?
    private var sound: TSSound?
    private var tables = TSTables()
    private var clock = TSClock()
    private var tableTime: Int64?
    private var videoCounter: UInt8 = 0
    private var audioCounter: UInt8 = 0
    /// The last frame of sound, the last picture, and the first frame of sound behind it.
    private var soundTime: Int64?
    private var pictureTime: Int64?
    private var soundAfterPicture: Int64?
    /// The header of a PES packet and what precedes a picture; kept for its memory.
    private var head: [UInt8] = []

    /// Frames without a known codec, empty, or larger than the container can say.
    package private(set) var droppedFrames: UInt64 = 0

    package init() {}

    package static func canCarry(_ codec: VideoCodec) -> Bool { codec.hasNALUnits }

    package static func canCarry(_ codec: AudioCodec) -> Bool {
        switch codec {
        case .aac, .mp3, .opus, .g711a, .g711u: true
        }
    }

    /// Takes parameters; appends frames as whole packets of 188 bytes. Metadata is ignored.
    ///
    /// - Parameter startsSegment: viewers or segments can start here. What is gathered goes first (call `flush` before, if it
    ///   belongs elsewhere), then PAT, PMT and the frame with a PCR and random_access_indicator, sound too.
    /// - Returns: whether anything was appended. Not for a frame of sound that is gathered; for audio parameters only when sound
    ///   of the former ones was left.
    @discardableResult
    package mutating func mux(_ event: MediaEvent, startsSegment: Bool, into bytes: inout ByteBuffer) -> Bool {
        let before = bytes.writerIndex
        switch event {
        case .video(let parameters):
            // A clock that moves to another PID does so between two PES packets.
            flush(into: &bytes)
            video = TSVideo(parameters)
            tables.set(video: video?.stream, audio: sound?.stream)
        case .audio(let parameters):
            flush(into: &bytes)
            sound = TSSound(parameters)
            tables.set(video: video?.stream, audio: sound?.stream)
        case .frame(let frame):
            switch frame.track {
            case .video: muxPicture(frame, startsSegment: startsSegment, into: &bytes)
            case .audio: muxSound(frame, startsSegment: startsSegment, into: &bytes)
            }
        case .metadata:
            break
        }
        return bytes.writerIndex > before
    }

    /// PAT and PMT as they stand. The version of the map goes up when its streams change.
    package mutating func writeTables(into bytes: inout ByteBuffer) {
        tables.write(into: &bytes)
        tableTime = clock.last
    }

    private mutating func writeTables(at time: Int64, into bytes: inout ByteBuffer) {
        tables.write(into: &bytes)
        tableTime = time
    }

    /// The gathered sound.
    package mutating func flush(into bytes: inout ByteBuffer) {
        writeSound(startsSegment: false, into: &bytes)
    }

    private mutating func muxPicture(_ frame: Frame, startsSegment: Bool, into bytes: inout ByteBuffer) {
        guard let video, frame.payload.readableBytes <= Self.largestFrame, let units = frame.payload.wholeUnits else {
            droppedFrames &+= 1
            return
        }
        let prefix = frame.isKey ? video.keyPrefix : video.prefix
        let size = prefix.count &+ units.readableBytes &+ (sound?.bytes.readableBytes ?? 0)
        bytes.reserveCapacity(minimumWritableBytes: (size / TSPacket.room &+ Self.packetsBeside) &* TSPacket.length)
        flush(into: &bytes)
        let dts = TSClock.time(frame.dts)
        // A picture cannot be shown before it is decoded.
        let pts = max(TSClock.time(frame.pts), dts)
        pictureTime = dts
        soundAfterPicture = nil
        let isEntry = startsSegment || frame.isKey
        if startsSegment || !tables.isCurrent {
            writeTables(at: clock.last ?? dts &- TSClock.delay, into: &bytes)
        }
        var adaptation = advanceClock(to: dts &- TSClock.delay, isNeeded: isEntry, into: &bytes)
        adaptation.isRandomAccess = isEntry
        head.removeAll(keepingCapacity: true)
        PESHeader.append(
            streamID: video.stream.streamID,
            pts: pts,
            dts: dts,
            payload: prefix.count &+ units.readableBytes,
            to: &head
        )
        head += prefix
        TSPacket.write(
            head: head,
            payload: units.readableBytesSpan,
            annexB: true,
            adaptation: adaptation,
            id: TSTables.videoID,
            counter: &videoCounter,
            into: &bytes
        )
    }

    private mutating func muxSound(_ frame: Frame, startsSegment: Bool, into bytes: inout ByteBuffer) {
        guard let carries = sound?.canCarry(frame.payload), carries else {
            droppedFrames &+= 1
            return
        }
        let time = TSClock.time(frame.pts)
        if startsSegment || sound?.canAppend(frame.payload, at: time) == false { flush(into: &bytes) }
        sound?.append(frame.payload, at: time)
        guard startsSegment || sound?.isFull(carriesClock: video == nil) == true else { return }
        writeSound(startsSegment: startsSegment, into: &bytes)
    }

    private mutating func writeSound(startsSegment: Bool, into bytes: inout ByteBuffer) {
        // Taken out, so that its memory has one owner and is kept.
        guard sound?.isEmpty == false, var sound = self.sound.take() else { return }
        defer {
            sound.clear()
            self.sound = sound
        }
        if startsSegment || !tables.isCurrent {
            writeTables(at: clock.last ?? sound.start &- TSClock.delay, into: &bytes)
        }
        var adaptation = TSPacket.Adaptation()
        if video == nil {
            adaptation = advanceClock(to: sound.start &- TSClock.delay, isNeeded: startsSegment, into: &bytes)
        } else {
            followSound(to: sound.start, startsSegment: startsSegment, into: &bytes)
        }
        soundTime = sound.start
        adaptation.isRandomAccess = startsSegment
        head.removeAll(keepingCapacity: true)
        PESHeader.append(
            streamID: sound.stream.streamID,
            pts: sound.start,
            dts: sound.start,
            payload: sound.bytes.readableBytes,
            to: &head
        )
        TSPacket.write(
            head: head,
            payload: sound.bytes.readableBytesSpan,
            annexB: false,
            adaptation: adaptation,
            id: TSTables.audioID,
            counter: &audioCounter,
            into: &bytes
        )
    }

    /// The clock belongs to the pictures. It goes on with the sound before the first of them, when they stay away (key frames
    /// alone, a track that ended), and when the sound goes to another time base first.
    private mutating func followSound(to time: Int64, startsSegment: Bool, into bytes: inout ByteBuffer) {
        let step = soundTime.map { time &- $0 } ?? 0
        var pcr: Int64
        if clock.last == nil || step > TSClock.longestFill || step < -TSClock.interval {
            pictureTime = time
            soundAfterPicture = time
            pcr = time &- TSClock.delay
        } else {
            // What the sound has gone on by, and not its time: it may be ahead of the pictures, or have paused before.
            let anchor = soundAfterPicture ?? time
            soundAfterPicture = anchor
            pcr = (pictureTime ?? time) &+ time &- anchor &- TSClock.delay &- Self.patience
            if startsSegment, let last = clock.last { pcr = max(pcr, last) }
        }
        let isAhead = clock.last.map { pcr &- $0 >= TSClock.interval || step < -TSClock.interval } ?? true
        guard isAhead || startsSegment else { return }
        let adaptation = advanceClock(to: pcr, isNeeded: startsSegment, into: &bytes)
        guard adaptation.pcr != nil else { return }
        writeClock(adaptation, into: &bytes)
    }

    /// Writes what is due on the way to a PCR: tables, and packets of PCRs that fill the gap.
    private mutating func advanceClock(
        to pcr: Int64,
        isNeeded: Bool,
        into bytes: inout ByteBuffer
    ) -> TSPacket.Adaptation {
        let advance = clock.advance(to: pcr, isNeeded: isNeeded)
        var step: Int64 = 1
        while step < advance.steps {
            let time = advance.pcr(at: step)
            writeTablesIfDue(at: time, into: &bytes)
            writeClock(TSPacket.Adaptation(pcr: time), into: &bytes)
            step &+= 1
        }
        writeTablesIfDue(at: pcr, into: &bytes)
        return TSPacket.Adaptation(pcr: advance.pcr, isDiscontinuity: advance.isDiscontinuity)
    }

    private mutating func writeTablesIfDue(at time: Int64, into bytes: inout ByteBuffer) {
        // A time before the last tables is one of another time base, or a few milliseconds back.
        if let tableTime, abs(time &- tableTime) < Self.tableInterval { return }
        writeTables(at: time, into: &bytes)
    }

    private func writeClock(_ adaptation: TSPacket.Adaptation, into bytes: inout ByteBuffer) {
        let id = tables.clockID
        let counter = id == TSTables.videoID ? videoCounter : audioCounter
        TSPacket.writeClock(adaptation, id: id, counter: counter, into: &bytes)
    }
}
