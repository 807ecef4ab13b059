import Media
import Wire

/// Input: an SDP body.
///
/// What was read and written again reads as the same, and every format can be asked what it is.
func fuzzRTSPDescription(_ input: [UInt8]) {
    guard let stream = try? DescribedStream(sdp: input) else { return }
    precondition(stream.controls.count == stream.description.media.count)
    precondition(!stream.description.media.isEmpty && !stream.description.name.isEmpty)
    for media in stream.description.media {
        precondition(!media.formats.isEmpty)
        for format in media.formats { checkFormat(format, in: media.kind) }
    }
    let body = stream.description.sessionDescription(includesBackChannel: true).serialized()
    guard let again = try? DescribedStream(sdp: body) else {
        // Names of control characters are left out when they are written, and a media may be nothing without.
        return
    }
    precondition(again.sessionControl == "*")
    let twice = again.description.sessionDescription(includesBackChannel: true).serialized()
    guard let third = try? DescribedStream(sdp: twice) else { return }
    require(third.description.media, is: again.description.media, "reads as something else")
    var ingest = RTSPIngest(stream.description, configuration: RTSPIngestConfiguration(transport: .tcp))
    var events: [MediaEvent] = []
    ingest.start(into: &events)
    precondition(events.count <= 2)
    _ = ingest.statistics
}

private func checkFormat(_ format: RTPFormat, in kind: String) {
    precondition(format.payloadType < 128 && format.clockRate > 0)
    if let parameters = format.videoParameters { precondition(parameters.decoderConfiguration != nil) }
    if let parameters = format.audioParameters { precondition(parameters.sampleRate > 0) }
    _ = format.codec(in: kind)
}
