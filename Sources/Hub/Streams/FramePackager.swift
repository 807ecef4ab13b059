import Media
import NIOCore
import Streaming

/// Lays the frames of a stream out in one form.
protocol FramePackager {
    mutating func take(_ event: MediaEvent)
    /// Appends what was held back of the group of pictures that ends.
    mutating func finishGroup(into bytes: inout ByteBuffer)
    /// Whether the headers are others from here on, where a reader can start.
    /// - Parameter next: makes a number for them that no other headers have.
    mutating func startsAnew(next: () -> Int) -> Bool
    mutating func package(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer)
    /// What goes before the first message, and again when it has changed.
    var headers: ByteBuffer { get }
    /// A WebSocket message before them.
    var announcement: ByteBuffer? { get }
    var preamble: Preamble { get }
}

/// The tables stand in the stream itself, wherever readers can start.
struct TSPackager: FramePackager {
    private static let nothing = ByteBlock(ByteBuffer())
    private static let preamble = Preamble(version: 0, fileHeader: nothing, headers: nothing)

    private var muxer = TSMuxer()

    mutating func take(_ event: MediaEvent) {
        var nothing = ByteBuffer()
        muxer.mux(event, startsSegment: false, into: &nothing)
    }

    mutating func finishGroup(into bytes: inout ByteBuffer) {
        muxer.flush(into: &bytes)
    }

    mutating func startsAnew(next: () -> Int) -> Bool { false }

    mutating func package(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer) {
        muxer.mux(.frame(frame), startsSegment: startsGOP, into: &bytes)
    }

    var headers: ByteBuffer { ByteBuffer() }
    var announcement: ByteBuffer? { nil }
    var preamble: Preamble { Self.preamble }
}

/// An init segment, then a fragment for each frame. Other parameters are another init segment, from the next key frame on: players
/// drop what comes before one.
struct FMP4Packager: FramePackager {
    private let hasAudio: Bool
    private let isAnnounced: Bool
    private var video: VideoParameters?
    private var audio: AudioParameters?
    private var description: FMP4Description?
    private var muxer: FMP4FrameMuxer?
    private var isNews = false
    private(set) var headers = ByteBuffer()
    private(set) var announcement: ByteBuffer?
    private(set) var preamble = Preamble(
        version: 0,
        fileHeader: ByteBlock(ByteBuffer()),
        headers: ByteBlock(ByteBuffer())
    )

    /// - Parameter isAnnounced: a text message with the codecs goes before each init segment.
    init(hasAudio: Bool, isAnnounced: Bool) {
        self.hasAudio = hasAudio
        self.isAnnounced = isAnnounced
    }

    mutating func take(_ event: MediaEvent) {
        switch event {
        case .video(let parameters): video = parameters
        case .audio(let parameters) where hasAudio: audio = parameters
        case .audio, .frame, .metadata: return
        }
        isNews = true
    }

    mutating func finishGroup(into bytes: inout ByteBuffer) {}

    mutating func startsAnew(next: () -> Int) -> Bool {
        guard isNews else { return false }
        isNews = false
        let fresh = FMP4Description(video: video, audio: audio)
        guard let fresh, fresh != description else { return false }
        description = fresh
        // Time goes on over a change.
        if muxer == nil { muxer = FMP4FrameMuxer(fresh) } else { muxer?.change(to: fresh) }
        headers = ByteBuffer()
        fresh.writeInit(into: &headers)
        if isAnnounced {
            var text = ByteBuffer()
            WebSocketFrame.write(opcode: .text, payload: ByteBuffer(string: fresh.announcement), into: &text)
            announcement = text
        }
        preamble = Preamble(
            version: next(),
            announcement: announcement.map { ByteBlock($0) },
            fileHeader: ByteBlock(ByteBuffer()),
            headers: ByteBlock(headers)
        )
        return true
    }

    mutating func package(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer) {
        guard hasAudio || frame.track == .video else { return }
        muxer?.mux(frame, into: &bytes)
    }
}

extension FMP4Description {
    /// The text message of the WebSocket contract: `{"codecs":"avc1.4D401F,mp4a.40.2"}`, with what is left out.
    fileprivate var announcement: String {
        let left = omitted.isEmpty ? "" : ",\"omitted\":[" + omitted.map { "\"\($0)\"" }.joined(separator: ",") + "]"
        return "{\"codecs\":\"\(codecs)\"\(left)}"
    }
}
