package import NIOCore

/// What a fragmented MP4 says of its tracks: picture is track 1, sound track 2.
///
/// The picture's times are in 1/90000 s, those of sound in samples, so that they are exact and never drift. A description that
/// differs from the one before needs a new init segment.
package struct FMP4Description: Hashable, Sendable {
    static let videoTrack: UInt32 = 1
    static let audioTrack: UInt32 = 2
    static let videoTimescale = 90_000

    let video: FMP4Picture?
    let audio: FMP4Sound?
    /// The codecs that are left out, as `VideoCodec` and `AudioCodec` name them: those that MP4 has no form for as they are, and
    /// pictures whose parameter sets or size are not known (yet).
    package let omitted: [String]

    /// Nil when there is nothing that it can carry.
    package init?(video: VideoParameters?, audio: AudioParameters?) {
        self.video = video.flatMap { FMP4Picture($0) }
        self.audio = audio.flatMap { FMP4Sound($0) }
        var omitted: [String] = []
        if let video, self.video == nil { omitted.append(video.codec.rawValue) }
        if let audio, self.audio == nil { omitted.append(audio.codec.rawValue) }
        self.omitted = omitted
        if self.video == nil, self.audio == nil { return nil }
    }

    package var hasVideo: Bool { video != nil }
    package var hasAudio: Bool { audio != nil }

    /// The `codecs` of RFC 6381, as `MediaSource.isTypeSupported` and `EXT-X-STREAM-INF` want them: "avc1.4D401F,mp4a.40.2".
    package var codecs: String {
        [video?.codecString, audio?.codecString].compactMap { $0 }.joined(separator: ",")
    }

    /// The media type of an HTTP answer.
    package var contentType: String { "\(hasVideo ? "video" : "audio")/mp4; codecs=\"\(codecs)\"" }

    /// Whether the muxers can put silence where sound is missing. Without it (AAC of rare kinds) a gap is a gap.
    package var fillsSilence: Bool { audio.map { $0.isFLAC || $0.silence != nil } ?? false }

    /// Appends the init segment: ftyp and moov.
    package func writeInit(into bytes: inout ByteBuffer) {
        // default-base-is-moof came with iso5, signed composition offsets with iso6 (ISO/IEC 14496-12 annex E).
        bytes.writeMP4Box("ftyp") { box in
            box.writeMP4Name("iso5")
            box.writeInteger(UInt32(0x200))
            for brand in ["iso5", "iso6", "mp41"] as [StaticString] { box.writeMP4Name(brand) }
        }
        bytes.writeMP4Box("moov") { moov in
            Self.writeMovieHeader(into: &moov)
            if let video { writeTrack(video, into: &moov) }
            if let audio { writeTrack(audio, into: &moov) }
            moov.writeMP4Box("mvex") { mvex in
                if video != nil { Self.writeDefaults(Self.videoTrack, FMP4SampleFlags.dependent, into: &mvex) }
                if audio != nil { Self.writeDefaults(Self.audioTrack, FMP4SampleFlags.sync, into: &mvex) }
            }
        }
    }

    /// ISO/IEC 14496-12 8.8.3. Duration and size come with each sample.
    private static func writeDefaults(_ track: UInt32, _ flags: UInt32, into mvex: inout ByteBuffer) {
        mvex.writeMP4FullBox("trex") { $0.writeMultipleIntegers(track, UInt32(1), UInt32(0), UInt32(0), flags) }
    }
}

/// ISO/IEC 14496-12 8.8.3.1.
enum FMP4SampleFlags {
    /// sample_depends_on 2: on no other.
    static let sync: UInt32 = 0x0200_0000
    /// sample_depends_on 1, sample_is_non_sync_sample.
    static let dependent: UInt32 = 0x0101_0000
}
