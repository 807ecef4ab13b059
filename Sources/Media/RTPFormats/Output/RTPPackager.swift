package import NIOCore
import Wire

/// Frames into RTP packets, each in an interleaved frame: the form in which they lie in a stream's log.
///
/// All medias have one timeline, that of the frames: a timestamp is the presentation time in the media's ticks, moved by a
/// constant. Sound is counted in samples along it.
package struct RTPPackager: Sendable {
    package let description: StreamDescription
    /// Frames of codecs that the description has not, empty ones, and those that no packet can carry.
    package private(set) var droppedFrames = 0

    private var video: Video?
    private var audio: Audio?
    /// Sources of medias that no frame comes for, by place: kept for the next publisher.
    private var idle: [Int: RTPContinuity.Source] = [:]
    private let canonicalName: UInt64
    private let continuing: RTPContinuity?
    /// Whether the first timestamps are fixed: what went before runs on until the first frame.
    private var hasTimeline: Bool
    /// The latest presentation time of a packet, and when it was sent.
    private var latest: (time: Int64, at: NIODeadline)?
    private var reports = RTPReportAnchor()

    private struct Video: Sendable {
        let media: Int
        let codec: VideoCodec
        var sender: RTPSender
        /// Added to 90 kHz presentation times.
        var offset: UInt32
        /// Parameter sets, or the sequence header of AV1: units behind lengths of four bytes, or OBUs.
        var parameters: [UInt8] = []
        /// VP9.
        var picture: UInt16 = 0
    }

    private struct Audio: Sendable {
        let media: Int
        let codec: AudioCodec
        let clockRate: Int
        var sender: RTPSender
        var offset: UInt32
        var clock: RTPAudioClock
        let channels: Int
        let aacLength: Int

        func timestamp(ofSamples position: Int64) -> UInt32 {
            UInt32(truncatingIfNeeded: RTPTicks.convert(position, from: clock.sampleRate, to: clockRate)) &+ offset
        }
    }

    /// - Parameters:
    ///   - description: one of `StreamDescription.init(video:audio:)`.
    ///   - seed: SSRCs, first numbers and first timestamps come from it.
    ///   - continuing: what the publisher before left; its readers then see no break.
    package init(description: StreamDescription, seed: UInt64, continuing: RTPContinuity? = nil) {
        self.description = description
        self.continuing = continuing
        var random = RTPRandom(seed: seed)
        canonicalName = continuing?.canonicalName ?? random.next()
        hasTimeline = continuing == nil
        for (index, media) in description.media.enumerated() {
            let numbers = random.next()
            let ssrc = UInt32(truncatingIfNeeded: random.next())
            guard let format = media.formats.first else { continue }
            let sender = RTPSender(
                channel: InterleavedFrame.channel(ofMedia: index),
                payloadType: format.payloadType,
                ssrc: continuing?[index]?.ssrc ?? ssrc,
                sequenceNumber: continuing?[index]?.sequenceNumber ?? UInt16(truncatingIfNeeded: numbers)
            )
            let offset = UInt32(truncatingIfNeeded: numbers >> 32)
            if video == nil, let codec = format.videoCodec {
                video = Video(media: index, codec: codec, sender: sender, offset: offset)
            } else if audio == nil, let codec = format.audioCodec {
                let configuration = format.parameter("config").map { Hex.bytes($0) } ?? []
                audio = Audio(
                    media: index,
                    codec: codec,
                    clockRate: max(format.clockRate, 1),
                    sender: sender,
                    offset: offset,
                    clock: RTPAudioClock(sampleRate: format.clockRate),
                    channels: min(max(format.channels ?? 1, 1), 64),
                    aacLength: AudioFrameLength.aac(configuration)
                )
            } else {
                idle[index] =
                    continuing?[index]
                    ?? RTPContinuity.Source(
                        ssrc: ssrc,
                        sequenceNumber: sender.sequenceNumber,
                        timestamp: offset,
                        time: .uptimeNanoseconds(0),
                        clockRate: format.clockRate
                    )
            }
        }
    }

    /// Parameter sets, which go before each key frame of H.264 and H.265, and the sequence header for key frames of AV1 that have none.
    /// Give the first ones too.
    package mutating func take(_ parameters: VideoParameters) {
        guard parameters.codec == video?.codec else { return }
        switch parameters.codec {
        case .h264, .h265: video?.parameters = parameters.lengthPrefixedSets
        case .av1: video?.parameters = Array(parameters.record.dropFirst(4))
        case .vp9: break
        }
    }

    /// Appends all packets of the frame; the last one of an access unit has the marker.
    package mutating func package(_ frame: Frame, now: NIODeadline, into buffer: inout ByteBuffer) {
        guard frame.payload.readableBytes > 0 else {
            droppedFrames &+= 1
            return
        }
        begin(with: frame, now: now)
        let before = buffer.writerIndex
        switch frame.track {
        case .video: appendVideo(frame, into: &buffer)
        case .audio: appendAudio(frame, into: &buffer)
        }
        guard buffer.writerIndex > before else {
            droppedFrames &+= 1
            return
        }
        if latest.map({ frame.pts > $0.time || now - $0.at > .seconds(1) }) ?? true { latest = (frame.pts, now) }
    }

    /// Fixes the first timestamps: the time of the first frame continues that of the publisher before.
    private mutating func begin(with frame: Frame, now: NIODeadline) {
        guard !hasTimeline else { return }
        hasTimeline = true
        guard let continuing else { return }
        let now = continuing.resumption(now)
        if let video, let source = continuing[video.media] {
            self.video?.offset = source.timestamp(at: now) &- UInt32(truncatingIfNeeded: frame.dts)
        }
        if let audio, let source = continuing[audio.media] {
            let ticks = RTPTicks.convert(frame.dts, from: 90_000, to: audio.clockRate)
            self.audio?.offset = source.timestamp(at: now) &- UInt32(truncatingIfNeeded: ticks)
        }
    }

    private mutating func appendVideo(_ frame: Frame, into buffer: inout ByteBuffer) {
        guard var video = video.take() else { return }
        let timestamp = UInt32(truncatingIfNeeded: frame.pts) &+ video.offset
        let bytes = frame.payload.readableBytesSpan
        let size = bytes.byteCount &+ (frame.isKey ? video.parameters.count : 0)
        // Some 20 bytes a packet: an estimate, for room that is made once.
        buffer.reserveCapacity(minimumWritableBytes: size &+ (size / 1024 &+ 4) &* 20)
        switch video.codec {
        case .h264, .h265:
            if frame.isKey {
                video.parameters.withSpan {
                    video.sender.append(
                        units: $0,
                        of: video.codec,
                        timestamp: timestamp,
                        endsAccessUnit: false,
                        into: &buffer
                    )
                }
            }
            video.sender.append(
                units: bytes,
                of: video.codec,
                timestamp: timestamp,
                endsAccessUnit: true,
                into: &buffer
            )
        case .av1:
            let hasHeader = !frame.isKey || Self.hasSequenceHeader(bytes)
            (hasHeader ? [] : video.parameters).withSpan {
                video.sender.append(
                    av1: bytes,
                    configuration: $0,
                    beginsSequence: frame.isKey,
                    timestamp: timestamp,
                    into: &buffer
                )
            }
        case .vp9:
            video.sender.append(
                vp9: bytes,
                isKey: frame.isKey,
                picture: video.picture,
                timestamp: timestamp,
                into: &buffer
            )
            video.picture &+= 1
        }
        self.video = video
    }

    private static func hasSequenceHeader(_ bytes: RawSpan) -> Bool {
        var at = 0
        while let unit = AV1Unit(in: bytes, at: &at) {
            if unit.type == AV1Unit.sequenceHeader { return true }
        }
        return false
    }

    private mutating func appendAudio(_ frame: Frame, into buffer: inout ByteBuffer) {
        guard var audio = audio.take() else { return }
        defer { self.audio = audio }
        let bytes = frame.payload.readableBytesSpan
        let whole = 0..<bytes.byteCount
        switch audio.codec {
        case .aac:
            let position = audio.clock.position(pts: frame.pts, samples: audio.aacLength)
            let timestamp = audio.timestamp(ofSamples: position.samples)
            _ = audio.sender.append(aac: bytes, whole, timestamp: timestamp, into: &buffer)
        case .g711a, .g711u:
            let position = audio.clock.position(pts: frame.pts, samples: bytes.byteCount / audio.channels)
            audio.sender.append(
                samples: bytes,
                whole,
                sampleSize: audio.channels,
                timestamp: audio.timestamp(ofSamples: position.samples),
                marker: position.isBreak,
                into: &buffer
            )
        case .opus:
            // RFC 7587 4.2: a packet is never cut. 1275 bytes a frame; several frames that no datagram takes are dropped.
            guard bytes.byteCount <= RTPSender.largestDatagram &- RTPSender.headerLength else { return }
            let position = audio.clock.position(pts: frame.pts, samples: AudioFrameLength.opus(bytes))
            audio.sender.append(
                RTPSender.Prefix(),
                bytes,
                whole,
                timestamp: audio.timestamp(ofSamples: position.samples),
                marker: position.isBreak,
                into: &buffer
            )
        case .mp3:
            let header = MP3Header(bytes)
            if let header { audio.clock.change(sampleRate: header.sampleRate) }
            // ISO/IEC 13818-3: half the samples at the lower rates.
            let samples = (header?.sampleRate ?? 44_100) < 32_000 ? 576 : 1152
            let position = audio.clock.position(pts: frame.pts, samples: samples)
            _ = audio.sender.append(
                mpegAudio: bytes,
                timestamp: audio.timestamp(ofSamples: position.samples),
                marker: position.isBreak,
                into: &buffer
            )
        }
    }

    /// Where each media's packets begin for a reader that gets this frame first; by place in the description. Ask before
    /// `package`.
    package mutating func starts(before frame: Frame, now: NIODeadline) -> [RTPStart] {
        begin(with: frame, now: now)
        return description.media.indices.map { index in
            if let video, video.media == index {
                let timestamp = UInt32(truncatingIfNeeded: frame.pts) &+ video.offset
                return RTPStart(sequenceNumber: video.sender.sequenceNumber, timestamp: timestamp)
            }
            if let audio, audio.media == index {
                let timestamp = audio.timestamp(ofSamples: audio.clock.position(pts: frame.pts))
                return RTPStart(sequenceNumber: audio.sender.sequenceNumber, timestamp: timestamp)
            }
            return RTPStart(
                sequenceNumber: idle[index]?.sequenceNumber ?? 0,
                timestamp: idle[index]?.timestamp(at: now) ?? 0
            )
        }
    }

    /// The SSRC of each media, for SETUP answers; the same for all readers.
    package var sources: [UInt32] {
        description.media.indices.map { index in
            if let video, video.media == index { return video.sender.ssrc }
            if let audio, audio.media == index { return audio.sender.ssrc }
            return idle[index]?.ssrc ?? 0
        }
    }

    /// For the next publisher of the stream: all timestamps belong to one presentation time, so that picture and sound keep
    /// their distance.
    package var continuity: RTPContinuity {
        guard let latest else { return continuing ?? RTPContinuity(canonicalName: canonicalName) }
        var continuity = RTPContinuity(canonicalName: canonicalName)
        for index in description.media.indices {
            if let video, video.media == index {
                continuity.append(
                    RTPContinuity.Source(
                        ssrc: video.sender.ssrc,
                        sequenceNumber: video.sender.sequenceNumber,
                        timestamp: UInt32(truncatingIfNeeded: latest.time) &+ video.offset,
                        time: latest.at,
                        clockRate: 90_000
                    )
                )
            } else if let audio, audio.media == index {
                continuity.append(
                    RTPContinuity.Source(
                        ssrc: audio.sender.ssrc,
                        sequenceNumber: audio.sender.sequenceNumber,
                        timestamp: audio.timestamp(ofSamples: audio.clock.position(pts: latest.time)),
                        time: latest.at,
                        clockRate: audio.clockRate
                    )
                )
            } else if let source = idle[index] {
                continuity.append(source)
            }
        }
        return continuity
    }

    /// Appends a sender report and the canonical name for each media that has sent packets, on its RTCP channel.
    ///
    /// The presentation time of the latest frame is that of the wall clock when it was sent. This is fixed once, for all medias,
    /// and again only when they have drifted apart by half a second: readers see one straight line.
    /// - Parameter lead: the reports are about a moment so much before now.
    package mutating func appendSenderReports(
        now: NIODeadline,
        wallClock: WallClock,
        lead: TimeAmount = .nanoseconds(0),
        into buffer: inout ByteBuffer
    ) {
        guard let latest else { return }
        let sent = WallClock(nanoseconds: wallClock.nanoseconds &- (now - latest.at).nanoseconds)
        reports.observe(latest.time, clockRate: 90_000, at: sent)
        let moment = WallClock(nanoseconds: wallClock.nanoseconds &- lead.nanoseconds)
        let time = reports.time(at: moment, clockRate: 90_000)
        if let video, video.sender.packetCount > 0 {
            RTCPPacket.appendSenderReport(
                of: video.sender,
                ntp: moment.ntp,
                timestamp: UInt32(truncatingIfNeeded: time) &+ video.offset,
                canonicalName: canonicalName,
                into: &buffer
            )
        }
        if let audio, audio.sender.packetCount > 0 {
            RTCPPacket.appendSenderReport(
                of: audio.sender,
                ntp: moment.ntp,
                timestamp: audio.timestamp(ofSamples: audio.clock.position(pts: time)),
                canonicalName: canonicalName,
                into: &buffer
            )
        }
    }

    /// Appends a BYE for each media.
    package func appendGoodbye(into buffer: inout ByteBuffer) {
        for sender in [video?.sender, audio?.sender] {
            guard let sender else { continue }
            RTCPPacket.appendGoodbye(of: sender, canonicalName: canonicalName, into: &buffer)
        }
    }
}
