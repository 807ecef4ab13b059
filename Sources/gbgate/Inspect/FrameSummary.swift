import Media
import NIOCore

/// What the frames of one stream amount to.
struct FrameSummary {
    private var video: VideoParameters?
    private var audio: AudioParameters?
    private var tracks: [TrackKind: Track] = [:]

    private struct Track {
        var frames = 0
        var keyFrames = 0
        var bytes = 0
        var largest = 0
        var first: Int64 = 0
        var last: Int64 = 0
        var largestGap: Int64 = 0
    }

    mutating func add(_ events: [MediaEvent]) {
        for event in events {
            switch event {
            case .video(let parameters): video = parameters
            case .audio(let parameters): audio = parameters
            case .metadata: break
            case .frame(let frame):
                var track = tracks[frame.track] ?? Track()
                if track.frames == 0 {
                    track.first = frame.dts
                } else {
                    track.largestGap = max(track.largestGap, frame.dts - track.last)
                }
                track.frames += 1
                if frame.isKey { track.keyFrames += 1 }
                track.bytes += frame.payload.readableBytes
                track.largest = max(track.largest, frame.payload.readableBytes)
                track.last = frame.dts
                tracks[frame.track] = track
            }
        }
    }

    func explain(indent: String) -> [String] {
        var lines: [String] = []
        if let video {
            lines.append(
                "\(indent)video \(video.codec.rawValue) \(video.width)x\(video.height)"
                    + describe(tracks[.video], "pictures", keys: true)
            )
        }
        if let audio {
            lines.append(
                "\(indent)audio \(audio.codec.rawValue) \(audio.sampleRate) Hz, \(audio.channels) channel"
                    + (audio.channels == 1 ? "" : "s") + describe(tracks[.audio], "frames", keys: false)
            )
        }
        if video == nil, audio == nil { lines.append("\(indent)no picture and no sound could be taken out") }
        return lines
    }

    private func describe(_ track: Track?, _ noun: String, keys: Bool) -> String {
        guard let track, track.frames > 0 else { return ": no \(noun)" }
        var text = ": \(track.frames) \(noun)"
        if keys { text += " (\(track.keyFrames) key frames)" }
        text += ", \(Inspection.seconds(track.first)) to \(Inspection.seconds(track.last)) s"
        if track.frames > 1, track.last > track.first {
            let duration = Double(track.last - track.first) / 90_000
            let rate = (Double(track.frames - 1) / duration * 10).rounded() / 10
            let kilobits = Int(Double(track.bytes) * 8 / 1000 / duration)
            text += ", \(rate) a second, \(kilobits) kbit/s"
        }
        text += ", largest \(track.largest) bytes"
        if track.largestGap > 90_000 { text += ", longest pause \(Inspection.seconds(track.largestGap)) s" }
        return text
    }
}

/// What the counters of a program stream say is wrong.
enum Problems {
    static func of(_ demux: PSDemuxer.Statistics) -> [String] {
        pick([
            (
                demux.resynchronisations,
                "times the next unit had to be searched for, \(demux.skippedBytes) bytes passed over"
            ),
            (demux.badMaps, "program stream maps could not be read"),
            (demux.truncatedPackets, "PES packets gave a length that was too large"),
            (demux.extendedPackets, "PES packets gave a length that was too small"),
            (demux.otherStreams, "PES packets of a second video or audio stream"),
        ])
    }

    static func of(_ video: VideoTrack.Statistics) -> [String] {
        pick([
            (video.damaged, "pictures were damaged"),
            (video.awaitingKeyFrame, "pictures had no key frame before them"),
            (video.missingParameters, "key frames had no parameter sets"),
            (video.oversized, "pictures were beyond the limit"),
            (video.unknownCodec, "pictures of a codec that could not be told"),
            (video.codecCorrections, "times the map named another video codec than the bits show"),
            (video.timestampJumps, "jumps of the video's time stamps"),
            (video.timeSourceChanges, "times PTS disagreed with RTP time and the clock"),
        ])
    }

    static func of(_ audio: AudioTrack.Statistics) -> [String] {
        pick([
            (audio.codecCorrections, "times the map named another audio codec than the bits show"),
            (audio.undecided, "audio packets of a codec that could not be told"),
            (audio.skippedBytes, "bytes between AAC frames"),
        ])
    }

    static func of(_ order: ReorderBuffer.Statistics) -> [String] {
        pick([
            (order.lost, "packets were lost, in \(order.gaps) gaps"),
            (order.late, "packets came too late"),
            (order.duplicates, "packets came twice"),
            (order.reordered, "packets came out of order"),
            (order.restarts, "times the sequence began anew"),
        ])
    }

    private static func pick(_ all: [(Int, String)]) -> [String] {
        all.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    }
}
