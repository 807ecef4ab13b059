import NIOCore
import Wire

/// Emits the pictures of codecs without NAL units, AV1 and VP9, and withholds what cannot be decoded. Their RTP payload formats
/// tell where pictures begin and end.
struct WholeFrameTrack: Sendable {
    let codec: VideoCodec
    let largestFrame: Int
    private let gatesOnLoss: Bool
    private var awaitsKeyFrame = true
    private var announced: VideoParameters?
    private(set) var statistics = VideoTrack.Statistics()

    init(_ codec: VideoCodec, largestFrame: Int, gatesOnLoss: Bool) {
        self.codec = codec
        self.largestFrame = largestFrame
        self.gatesOnLoss = gatesOnLoss
    }

    /// A picture lost a part, or is too large.
    mutating func lose(isOversized: Bool = false) {
        statistics.damaged += 1
        if isOversized { statistics.oversized += 1 }
        if gatesOnLoss { awaitsKeyFrame = true }
    }

    /// Pictures may be missing.
    mutating func discontinuity() {
        if gatesOnLoss { awaitsKeyFrame = true }
    }

    /// - Parameter parameters: that this picture brings, or nil.
    mutating func emit(
        _ bytes: [UInt8],
        isKey: Bool,
        parameters: VideoParameters?,
        pts: Int64,
        into events: inout [MediaEvent]
    ) {
        guard isKey || !awaitsKeyFrame else {
            statistics.awaitingKeyFrame += 1
            return
        }
        if let parameters, parameters != announced {
            if announced != nil { statistics.parameterChanges += 1 }
            announced = parameters
            events.append(.video(parameters))
        }
        guard announced != nil else {
            statistics.missingParameters += 1
            return
        }
        if isKey {
            awaitsKeyFrame = false
            statistics.keyFrames += 1
        }
        statistics.frames += 1
        let payload = ByteBuffer(bytes: bytes)
        events.append(.frame(Frame(track: .video, dts: pts, pts: pts, isKey: isKey, payload: payload)))
    }
}
