import Foundation
import Gateway
import Testing

/// GStreamer's demuxers over HTTP, live and by HLS, in one publication: nothing is missing but at the end, where they leave out
/// what they have not finished.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(if: FFmpeg.installed != nil && GStreamer.installed != nil, "ffmpeg or GStreamer is not installed")
)
struct GStreamerMatrixTests {
    enum Form: String, CaseIterable, Sendable {
        case transportStream = "/live/m.ts"
        case fragments = "/live/m.mp4"
        case segmentedTransportStream = "/hls/m.m3u8"
        case segmentedFragments = "/hls/m/index.m3u8"

        var isFragments: Bool { self == .fragments || self == .segmentedFragments }
        var isSegmented: Bool { self == .segmentedTransportStream || self == .segmentedFragments }

        fileprivate var demuxers: String {
            (isSegmented ? "hlsdemux ! " : "") + (isFragments ? "qtdemux" : "tsdemux")
        }
    }

    @Test(arguments: [
        MatrixClip(video: .h264B, audio: .aac), MatrixClip(video: .h264, audio: .mp3),
        MatrixClip(video: .h264, audio: .g711a), MatrixClip(video: .h264, audio: nil),
    ])
    func readsWhatFFmpegPublishes(clip: MatrixClip) async throws {
        try await Self.run(clip)
    }

    @Test(.enabled(if: FFmpeg.recent != nil, "there is no ffmpeg from 6.1 on: scripts/setup.sh test"))
    func readsH265AndOpus() async throws {
        try await Self.run(MatrixClip(video: .h265, audio: .opus))
    }

    private static func run(_ clip: MatrixClip) async throws {
        let made = try await clip.made()
        let ffmpeg = try #require(clip.tool)
        try await Turnstile.realTime.pass {
            try await Site.run {
                $0.hls.fragmentDurationMs = 1000
                $0.publish.graceMs = 0
            } _: { site in
                var copies: [(form: Form, copy: GStreamerCopy)] = []
                for form in Form.allCases where !form.isSegmented {
                    copies.append((form, try GStreamerCopy(form, clip, port: site.http)))
                }
                try await wait(for: "the viewers", limit: .seconds(20)) {
                    try await site.viewers(of: "m").count == copies.count
                }
                async let published: Void = MatrixPublisher.ffmpeg.publish(
                    clip,
                    made,
                    to: "rtmp://127.0.0.1:\(site.rtmp)/live/m",
                    port: site.rtmp,
                    stream: "m"
                )
                try await wait(for: "the publisher") { try await site.input(of: "m") != nil }
                for form in Form.allCases where form.isSegmented {
                    copies.append((form, try GStreamerCopy(form, clip, port: site.http)))
                }
                try await published
                for (form, copy) in copies {
                    let recoded = form.isFragments && clip.pcm != nil
                    var found = try await copy.recording(clip, by: ffmpeg, recoded: recoded)
                    if form.isFragments, !recoded { found.dropFirstSilence(before: made.recording) }
                    var source = made.recording
                    // It passes over G.711 in TS.
                    if clip.pcm != nil, !form.isFragments { (source.packets.audio, source.samples) = ([], []) }
                    let faults = found.faultsOfRun(of: source, isLate: form.isSegmented, recoded: recoded)
                    #expect(faults == [], "\(form.rawValue)")
                }
            }
        }
    }
}

/// A Matroska file of what GStreamer's demuxers find. It keeps times to the millisecond, and is judged by ffmpeg.
private struct GStreamerCopy {
    let program: Program
    let file: String
    let folder: TemporaryFolder

    init(_ form: GStreamerMatrixTests.Form, _ clip: MatrixClip, port: Int) throws {
        folder = try TemporaryFolder()
        file = "\(folder.path)/copy.mkv"
        let sound: String? =
            if clip.pcm != nil { form.isFragments ? "flacparse" : nil } else { clip.audio?.gstreamerParser }
        let program = try GStreamer.installed?.launch(
            "souphttpsrc location=http://127.0.0.1:\(port)\(form.rawValue) ! \(form.demuxers) name=d"
                + " matroskamux name=m streamable=true ! filesink location=\(file) buffer-mode=2"
                + (clip.video.map { " d. ! \($0.gstreamerParser) ! queue ! m.video_0" } ?? "")
                + (sound.map { " d. ! \($0) ! queue ! m.audio_0" } ?? "")
        )
        guard let program else { throw NeverHappened(what: "GStreamer") }
        self.program = program
    }

    func recording(_ clip: MatrixClip, by ffmpeg: FFmpeg, recoded: Bool) async throws -> Recording {
        _ = try await program.exit(limit: .seconds(20))
        return try await ffmpeg.recording(
            of: file,
            hasVideo: clip.video != nil,
            pcm: recoded ? clip.pcm : nil,
            decoding: recoded
        )
    }
}

extension Recording {
    /// Drops what fMP4 has before the first sound of the source.
    fileprivate mutating func dropFirstSilence(before source: Recording) {
        let known = Set(source.packets.audio.map(\.hash))
        let begin = packets.audio.first?.pts ?? 0
        packets.audio = Array(packets.audio.drop { !known.contains($0.hash) && $0.pts - begin < 500 })
    }

    /// What a demuxer may keep at the end, in pictures and in milliseconds of sound.
    private static let keptPictures = 4
    private static let keptSound = 250

    /// Why this is not a run of `source`: from its beginning, or from a key frame of the first two thirds for those who come late,
    /// without a hole up to a little before the end, and with sound as far from the picture as it was. Empty when it is.
    func faultsOfRun(of source: Recording, isLate: Bool, recoded: Bool) -> [String] {
        guard let picture = pictures.first, let begin = source.pictures.firstIndex(where: { $0.hash == picture.hash })
        else { return ["\(pictures.count) pictures, the first of which is none of the source's"] }
        var faults: [String] = []
        if begin % 25 != 0 || begin > (isLate ? 50 : 0) { faults.append("begins with picture \(begin)") }
        let expected = source.pictures.dropFirst(begin).dropLast(Self.keptPictures)
        let same = zip(pictures, expected).prefix { $0.hash == $1.hash }.count
        if same < expected.count { faults.append("\(same) pictures are right, then not") }
        var shifts = zip(pictures, expected).prefix(same).map { $0.pts - $1.pts }
        if let last = source.packets.audio.last {
            if recoded {
                faults += faultsOfSamples(of: source, after: picture.pts - source.pictures[begin].pts)
            } else {
                guard let sound = packets.audio.first,
                    let heard = source.packets.audio.firstIndex(where: { $0.hash == sound.hash })
                else { return faults + ["\(packets.audio.count) sounds, the first of which is none of the source's"] }
                let due = max(source.pictures[begin].pts, source.packets.audio[0].pts)
                let late = source.packets.audio[heard].pts - due
                if late > 50 { faults.append("sound begins \(late) ms late") }
                let expected = source.packets.audio.dropFirst(heard).prefix { $0.pts < last.pts - Self.keptSound }
                let same = zip(packets.audio, expected).prefix { $0.hash == $1.hash }.count
                if same < expected.count { faults.append("\(same) sounds are right, then not") }
                shifts += zip(packets.audio, expected).prefix(same).map { $0.pts - $1.pts }
            }
        } else if !packets.audio.isEmpty {
            faults.append("\(packets.audio.count) sounds where there are none")
        }
        if let least = shifts.min(), let most = shifts.max(), most - least > 24 {
            faults.append("frames are shifted by \(least) to \(most) ms against one another")
        }
        return faults
    }

    /// G.711 that came as another codec, with silence where the clip had none yet.
    private func faultsOfSamples(of source: Recording, after shift: Int) -> [String] {
        guard let first = source.packets.audio.first, let sound = packets.audio.first else { return ["no sound"] }
        let silence = samples.prefix { $0 == 0xD5 }.count
        let own = samples.dropFirst(silence)
        // Noise is in it: so much is nowhere else.
        let start = Array(own.prefix(200))
        guard start.count == 200, let at = source.samples.firstRange(of: start)?.lowerBound else {
            return ["the first samples are none of the source's"]
        }
        var faults: [String] = []
        let expected = source.samples.dropFirst(at).dropLast(Self.keptSound * 8)
        let same = zip(own, expected).prefix { $0 == $1 }.count
        if same < expected.count { faults.append("\(same) samples of \(expected.count) are right") }
        let place = (sound.pts + silence / 8) - (first.pts + at / 8) - shift
        if abs(place) > 60 { faults.append("samples are shifted by \(place) ms") }
        return faults
    }
}
