import Media
import NIOCore

/// Holds the beginning of a publication back until its tracks are known: the FLV header says what there is, and a player
/// that was promised sound waits for it.
struct TrackSettlement {
    /// Before this much media time a stream of one track may still get its second one.
    private static let settleTime: Int64 = 300 * 90
    /// A stream of sound alone may get its picture much later: cameras send key frames every few seconds.
    private static let soundSettleTime: Int64 = 3000 * 90
    private static let maximumFrames = 150
    private static let maximumBytes = 2 * 1024 * 1024

    private var events: [MediaEvent] = []
    private var hasVideo = false
    private var hasAudio = false
    /// What the publisher's metadata says there is.
    private var named: (video: Bool, audio: Bool)?
    private var firstTime: Int64?
    private var frames = 0
    private var bytes = 0

    /// Takes an event; true when the tracks are known now.
    mutating func receive(_ event: MediaEvent) -> Bool {
        events.append(event)
        switch event {
        case .video: hasVideo = true
        case .audio: hasAudio = true
        case .metadata(let metadata): named = Self.names(metadata) ?? named
        case .frame(let frame): return isLate(frame) || isComplete
        }
        return isComplete
    }

    /// What there is to come, as the input knows it.
    mutating func expect(video: Bool, audio: Bool) {
        if video || audio { named = (video, audio) }
    }

    private var isComplete: Bool {
        if hasVideo && hasAudio { return true }
        guard let named, hasVideo || hasAudio else { return false }
        return (hasVideo || !named.video) && (hasAudio || !named.audio)
    }

    private mutating func isLate(_ frame: Frame) -> Bool {
        frames &+= 1
        bytes &+= frame.payload.readableBytes
        let first = firstTime ?? frame.dts
        firstTime = first
        let enough = hasVideo || named != nil ? Self.settleTime : Self.soundSettleTime
        return frame.dts &- first >= enough || frames >= Self.maximumFrames || bytes > Self.maximumBytes
    }

    /// What was held back: the first of each kind of parameters leads, so that all headers stand before the first frame.
    consuming func release() -> [MediaEvent] {
        var leaders: [MediaEvent?] = [nil, nil, nil]
        var rest: [MediaEvent] = []
        for event in events {
            let place: Int? =
                switch event {
                case .metadata: 0
                case .video: 1
                case .audio: 2
                case .frame: nil
                }
            if let place, leaders[place] == nil { leaders[place] = event } else { rest.append(event) }
        }
        return leaders.compactMap { $0 } + rest
    }

    /// Which tracks the metadata names; nil when it names none.
    private static func names(_ metadata: StreamMetadata) -> (video: Bool, audio: Bool)? {
        var video = false
        var audio = false
        for property in metadata.properties {
            switch property.name {
            case "videocodecid", "videodatarate", "framerate", "width", "height": video = true
            case "audiocodecid", "audiodatarate", "audiosamplerate", "audiosamplesize", "audiochannels", "stereo":
                audio = true
            default: break
            }
        }
        return video || audio ? (video, audio) : nil
    }
}
