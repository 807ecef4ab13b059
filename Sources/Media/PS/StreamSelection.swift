import NIOCore

/// Which of a program stream's elementary streams are carried on: one video and one audio, whatever their IDs.
struct StreamSelection {
    enum Choice: Equatable {
        case track(TrackKind)
        /// A second video or audio.
        case other
        /// Private data, or a codec that cannot be carried on.
        case unused
    }

    /// Another lens takes over when the video in use has been silent for so long.
    private static let silence = TimeAmount.seconds(5)
    private static let mostUnsupported = 16

    private var map: ProgramStreamMap?
    private var videoID: UInt8?
    private var audioID: UInt8?
    private var lastVideo = NIODeadline.uptimeNanoseconds(0)
    /// What the maps announced and cannot be carried on.
    private(set) var unsupported: Set<PSStreamType> = []

    /// Takes a map over, and tells the tracks their codecs.
    mutating func adopt(_ map: ProgramStreamMap, _ streams: inout ElementaryStreams) {
        guard map != self.map else { return }
        self.map = map
        for entry in map.entries {
            if case .unsupported = entry.type, unsupported.count < Self.mostUnsupported {
                unsupported.insert(entry.type)
            }
        }
        // A stream that the new map does not name any more gives its place up.
        if let videoID, map[videoID] == nil, map.entries.contains(where: \.isVideo) { self.videoID = nil }
        if let audioID, map[audioID] == nil, map.entries.contains(where: \.isAudio) { self.audioID = nil }
        if let videoID, case .video(let codec) = map[videoID] { streams.video.declare(codec) }
        if let audioID, case .audio(let codec) = map[audioID] { streams.audio.declare(codec) }
    }

    /// Where a packet of stream `id` belongs.
    @inline(__always)
    mutating func choose(_ id: UInt8, _ streams: inout ElementaryStreams) -> Choice {
        let now = streams.video.packetTime.arrival
        if id == videoID {
            if case .unsupported = map?[id] { return .unused }
            lastVideo = now
            return .track(.video)
        }
        return id >= 0xE0 ? chooseVideo(id, now, &streams) : chooseAudio(id, &streams)
    }

    private mutating func chooseVideo(_ id: UInt8, _ now: NIODeadline, _ streams: inout ElementaryStreams) -> Choice {
        let type = map?[id]
        if case .unsupported = type { return .unused }
        if videoID != nil, now - lastVideo <= Self.silence { return .other }
        videoID = id
        lastVideo = now
        if case .video(let codec) = type { streams.video.declare(codec) }
        return .track(.video)
    }

    private mutating func chooseAudio(_ id: UInt8, _ streams: inout ElementaryStreams) -> Choice {
        let type = map?[id]
        if case .unsupported = type { return .unused }
        // Private streams are audio only where the map says so.
        if id == 0xBD {
            guard case .audio = type else { return .unused }
        }
        if let audioID, audioID != id { return .other }
        if audioID == nil {
            audioID = id
            if case .audio(let codec) = type { streams.audio.declare(codec) }
        }
        return .track(.audio)
    }
}

extension ProgramStreamMap.Entry {
    fileprivate var isVideo: Bool {
        if case .video = type { true } else { false }
    }

    fileprivate var isAudio: Bool {
        if case .audio = type { true } else { false }
    }
}
