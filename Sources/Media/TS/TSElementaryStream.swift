/// How the map of a transport stream names an elementary stream (ISO/IEC 13818-1 table 2-34 and beyond).
struct TSElementaryStream: Equatable, Sendable {
    var type: UInt8
    var streamID: UInt8
    var descriptors: [UInt8] = []

    /// Nil for codecs that have no type here.
    init?(_ video: VideoParameters) {
        switch video.codec {
        case .h264: type = 0x1B
        case .h265: type = 0x24
        case .av1, .vp9: return nil
        }
        streamID = 0xE0
    }

    /// Nil for what a transport stream cannot say: AAC that ADTS has no profile for, Opus in an unnamed layout.
    init?(_ audio: AudioParameters) {
        streamID = 0xC0
        switch audio.codec {
        case .aac:
            guard ADTSTemplate(audio) != nil else { return nil }
            type = 0x0F
        // 0x03 is ISO/IEC 11172-3, 0x04 the half rates of ISO/IEC 13818-3 (and the quarter ones, which no standard knows).
        case .mp3:
            type = audio.sampleRate >= 32_000 ? 0x03 : 0x04
        // GB/T 28181-2022 annex C has these; FFmpeg and VLC do not know them.
        case .g711a: type = 0x90
        case .g711u: type = 0x91
        // Private data whose registration says what it is, and a DVB extension descriptor with the channels.
        case .opus:
            guard let layout = Self.opusLayout(audio) else { return nil }
            type = 0x06
            streamID = 0xBD
            descriptors = [0x05, 4] + Array("Opus".utf8) + [0x7F, 2, 0x80, layout]
        }
    }

    /// channel_config_code of the Opus descriptor: the count of channels in the order of Vorbis, 0x80 more for channels that
    /// are coded one by one.
    private static func opusLayout(_ audio: AudioParameters) -> UInt8? {
        let head = audio.configuration
        guard (1...8).contains(audio.channels) else { return nil }
        let count = UInt8(audio.channels)
        // RFC 7845 5.1.1: family 0 has no table.
        guard head.count >= 19, head[18] != 0 else { return count <= 2 ? count : nil }
        guard head.count >= 21 + audio.channels else { return nil }
        let table = Array(head[19..<21 + audio.channels])
        if head[18] == 1, table == vorbisTables[audio.channels - 1] { return count }
        return table == [count, 0] + Array(0..<count) ? 0x80 | count : nil
    }

    /// Streams, coupled streams and the place of each channel: RFC 7845 5.1.1.2, as Vorbis orders the channels.
    private static let vorbisTables: [[UInt8]] = [
        [1, 0, 0],
        [1, 1, 0, 1],
        [2, 1, 0, 2, 1],
        [2, 2, 0, 1, 2, 3],
        [3, 2, 0, 4, 1, 2, 3],
        [4, 2, 0, 4, 1, 2, 3, 5],
        [4, 3, 0, 4, 1, 2, 3, 5, 6],
        [5, 3, 0, 6, 1, 2, 3, 4, 5, 7],
    ]
}
